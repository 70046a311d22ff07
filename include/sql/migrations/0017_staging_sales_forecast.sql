-- staging.sales_forecast: one forecast of a scoring job.
-- Key (concert_id). Source: load/publish_forecast.sql (forecasts.json).
-- Emptied and filled by each publication. Owner: data-science.
CREATE TABLE IF NOT EXISTS staging.sales_forecast (
    concert_id VARCHAR(256) NOT NULL,
    expected_tickets BIGINT NOT NULL,
    lower_tickets BIGINT NOT NULL,
    upper_tickets BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    utilisation DECIMAL(6, 4) NOT NULL,
    basis VARCHAR(64) NOT NULL,  -- the closest history behind utilisation: own history | venue | city | market
    capacity_basis VARCHAR(64) NOT NULL,  -- venue (its own reports) | assumed from city | assumed from all venues
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL
) DISTKEY (concert_id);
