-- ml.model_registry: one version of a model; metrics and baseline are JSON text.
-- Key (name, version). Source: load/publish_forecast.sql. Owner: data-science.
CREATE TABLE IF NOT EXISTS ml.model_registry (
    name VARCHAR(128) NOT NULL,
    version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    status VARCHAR(64) NOT NULL,
    metrics VARCHAR(65535),
    baseline VARCHAR(65535),
    model_uri VARCHAR(2048) NOT NULL,
    registered_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (registered_at);
