-- marts.sales_daily: what one source reports as sold on one day, in one currency; a report over several days counts
-- for each of them with an equal part. A tour's total has no dates and is not in it.
-- Key (sales_date, source, currency), checks/sales_daily.sql; a report without money has an empty currency.
-- Read by day, hence sorted by it. Source: marts/sales_daily.sql. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.sales_daily (
    sales_date DATE NOT NULL,
    source VARCHAR(128) NOT NULL,
    currency VARCHAR(16) NOT NULL,
    reports BIGINT NOT NULL,  -- whose period holds the day
    performances DECIMAL(18, 4) NOT NULL,
    capacity DECIMAL(18, 4) NOT NULL,
    tickets_sold DECIMAL(18, 4) NOT NULL,
    gross DECIMAL(18, 2),
    gross_usd DECIMAL(18, 2),  -- null when a report's year has no rate
    refreshed_at TIMESTAMP NOT NULL
) DISTSTYLE EVEN SORTKEY (sales_date);
