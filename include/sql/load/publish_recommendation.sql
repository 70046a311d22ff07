-- Publish the recommendations of a scoring job: they replace those before. One transaction.
-- Values: recommendations_uri, model_name, model_version, run_id, run_moment, warehouse_role. Running it
-- again gives the same rows; once a newer run has published it changes nothing.
CREATE TEMPORARY TABLE scored (
    user_id VARCHAR(256) NOT NULL,
    algorithm VARCHAR(32) NOT NULL,
    position INTEGER NOT NULL,
    artist_id VARCHAR(256) NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    signal VARCHAR(64) NOT NULL,
    because VARCHAR(4096),
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL
) DISTKEY (user_id);

COPY scored
FROM {{ recommendations_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

DELETE FROM ml.recommendation
WHERE
    model_name = {{ model_name | sql_slug }}
    AND NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
    );

INSERT INTO ml.recommendation (
    user_id, algorithm, position, artist_id, score, signal, because, as_of, model_name, model_version, run_id,
    published_at
)
SELECT
    user_id, algorithm, position, artist_id, score, signal, because, as_of, model_name, model_version, run_id,
    GETDATE()
FROM scored
WHERE NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
);

{% include "load/shared/mark_published.sql" %}
