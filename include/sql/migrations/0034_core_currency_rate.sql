-- core.currency_rate: the average rate of one currency against the US dollar in one year, as its source quotes it.
-- Key (currency, year), checks/currency_rate_duplicate.sql. Small, hence on every node.
-- Source: 0035_core_currency_rate_rows.sql; a year is added by a migration. Owner: analytics.
CREATE TABLE IF NOT EXISTS core.currency_rate (
    currency VARCHAR(16) NOT NULL,
    year INTEGER NOT NULL,
    rate DECIMAL(18, 6) NOT NULL,
    quoted VARCHAR(16) NOT NULL,  -- usd a unit | units a usd
    source VARCHAR(256) NOT NULL
) DISTSTYLE ALL SORTKEY (currency, year);
