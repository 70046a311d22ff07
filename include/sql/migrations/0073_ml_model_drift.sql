-- ml.model_drift: one comparison of a training with the data of the champion: of an input, or of an error.
-- Key (name, version, kind, feature, statistic), checks/model_drift_duplicate.sql.
-- Source: load/record_version.sql. Owner: data-science.
CREATE TABLE IF NOT EXISTS ml.model_drift (
    name VARCHAR(128) NOT NULL,
    version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    kind VARCHAR(16) NOT NULL,  -- input | error
    feature VARCHAR(512) NOT NULL,
    statistic VARCHAR(128) NOT NULL,
    value DOUBLE PRECISION,
    threshold DOUBLE PRECISION,
    drifted BOOLEAN NOT NULL,
    recorded_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (recorded_at);
