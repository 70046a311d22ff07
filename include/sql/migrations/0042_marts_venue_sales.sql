-- marts.venue_sales: the box-office reports of one venue whose period ended in one month, in one currency; what
-- marts.venue_popularity is added up from, so that a day's load reads the months that it touches and no others.
-- Key (venue_id, month, currency); a tour's totals have the month 1900-01-01, a report without money an empty currency.
-- Source: marts/venue_sales.sql. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.venue_sales (
    venue_id VARCHAR(64) NOT NULL,
    month DATE NOT NULL,
    currency VARCHAR(16) NOT NULL,
    reports BIGINT NOT NULL,
    performances BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    tickets_sold BIGINT NOT NULL,
    gross DECIMAL(18, 2),
    refreshed_at TIMESTAMP NOT NULL
) DISTKEY (venue_id) SORTKEY (month);
