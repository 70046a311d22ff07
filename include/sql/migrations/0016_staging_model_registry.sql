-- staging.model_registry: the model that a scoring job used.
-- Key (name, version). Source: load/publish_forecast.sql (registry.json).
-- Emptied and filled by each publication. Owner: data-science.
CREATE TABLE IF NOT EXISTS staging.model_registry (
    name VARCHAR(128) NOT NULL,
    version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    status VARCHAR(64) NOT NULL,
    metrics VARCHAR(65535),
    baseline VARCHAR(65535),
    model_uri VARCHAR(2048) NOT NULL
) DISTSTYLE ALL;
