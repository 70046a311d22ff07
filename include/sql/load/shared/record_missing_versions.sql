-- Record versions of a model that ml.model_registry lacks, and the drift that their training has found.
-- Values: registry_uri, drift_uri (nothing without drift), warehouse_role. What is recorded stays as it is.
CREATE TEMPORARY TABLE recorded (
    name VARCHAR(128) NOT NULL,
    version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    status VARCHAR(64) NOT NULL,
    reason VARCHAR(4096),
    metrics VARCHAR(65535),
    baseline VARCHAR(65535),
    decision VARCHAR(65535),
    model_uri VARCHAR(2048) NOT NULL,
    package_arn VARCHAR(2048),
    data_from VARCHAR(32),
    data_through VARCHAR(32),
    fingerprint VARCHAR(256)
) DISTSTYLE ALL;

COPY recorded
FROM {{ registry_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

INSERT INTO ml.model_registry (
    name, version, run_id, status, reason, metrics, baseline, decision, model_uri, package_arn, data_from, data_through,
    fingerprint, registered_at
)
SELECT
    recorded.name, recorded.version, recorded.run_id, recorded.status, recorded.reason, recorded.metrics,
    recorded.baseline, recorded.decision, recorded.model_uri, recorded.package_arn, recorded.data_from,
    recorded.data_through, recorded.fingerprint, GETDATE()
FROM recorded
LEFT JOIN ml.model_registry AS known ON known.name = recorded.name AND known.version = recorded.version
WHERE known.name IS NULL;
{% if drift_uri %}

CREATE TEMPORARY TABLE found (
    name VARCHAR(128) NOT NULL,
    version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    feature VARCHAR(512) NOT NULL,
    statistic VARCHAR(128) NOT NULL,
    value DOUBLE PRECISION,
    threshold DOUBLE PRECISION,
    drifted BOOLEAN NOT NULL
) DISTSTYLE ALL;

COPY found
FROM {{ drift_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

INSERT INTO ml.model_drift (
    name, version, run_id, kind, feature, statistic, value, threshold, drifted, recorded_at
)
SELECT
    found.name, found.version, found.run_id, found.kind, found.feature, found.statistic, found.value, found.threshold,
    found.drifted, GETDATE()
FROM found
LEFT JOIN (SELECT DISTINCT name, version FROM ml.model_drift) AS known
    ON known.name = found.name AND known.version = found.version
WHERE known.name IS NULL;
{% endif %}
