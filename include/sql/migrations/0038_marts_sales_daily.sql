-- marts.sales_daily: the box-office reports of one source whose period ended on one day, in one currency: a theatre's week
-- counts on its last day. A tour's total has no dates and is not in it.
-- Key (sales_date, source, currency), checks/sales_daily.sql; a report without money has an empty currency.
-- Read by day, hence sorted by it. Source: marts/sales_daily.sql. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.sales_daily (
    sales_date DATE NOT NULL,
    source VARCHAR(128) NOT NULL,
    currency VARCHAR(16) NOT NULL,
    reports BIGINT NOT NULL,
    performances BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    tickets_sold BIGINT NOT NULL,
    gross DECIMAL(18, 2),
    gross_usd DECIMAL(18, 2),  -- null when the year has no rate
    refreshed_at TIMESTAMP NOT NULL
) DISTSTYLE EVEN SORTKEY (sales_date);
