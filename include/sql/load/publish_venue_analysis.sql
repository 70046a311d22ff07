-- Publish the analyses of a scoring job: they replace those before. One transaction.
-- Values: analyses_uri, model_name, model_version, run_id, run_moment, warehouse_role. Running it
-- again gives the same rows; once a newer run has published it changes nothing.
CREATE TEMPORARY TABLE scored (
    venue_id VARCHAR(64) NOT NULL,
    venue VARCHAR(4096),
    analysis VARCHAR(65535) NOT NULL,
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL
) DISTSTYLE ALL;

COPY scored
FROM {{ analyses_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

DELETE FROM ml.venue_analysis
WHERE
    model_name = {{ model_name | sql_slug }}
    AND NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
    );

INSERT INTO ml.venue_analysis (
    venue_id, venue, evidence, attendance_rate, analysis, as_of, model_name, model_version, run_id, published_at
)
SELECT
    venue_id, venue, JSON_EXTRACT_PATH_TEXT(analysis, 'basis', 'evidence'),
    CAST(NULLIF(JSON_EXTRACT_PATH_TEXT(analysis, 'attendance_rate', 'estimate'), '') AS DECIMAL(8, 4)),
    analysis, as_of, model_name, model_version, run_id, GETDATE()
FROM scored
WHERE NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
);

{% include "load/shared/mark_published.sql" %}
