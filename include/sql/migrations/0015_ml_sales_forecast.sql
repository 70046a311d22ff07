-- ml.sales_forecast: the forecast of one upcoming event on one day by one model; the interval holds 80 % of outcomes.
-- concert_id is core.fact_event.event_id; capacity and utilisation are of one performance.
-- Key (concert_id, as_of, model_name), checks/sales_forecast_duplicate.sql.
-- Source: load/publish_forecast.sql. Owner: data-science.
CREATE TABLE IF NOT EXISTS ml.sales_forecast (
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
    run_id VARCHAR(128) NOT NULL,
    published_at TIMESTAMP NOT NULL
) DISTKEY (concert_id) SORTKEY (as_of);
