-- Publish the forecasts of a scoring job: ml.sales_forecast of the same day and model is replaced. One transaction.
-- Values: forecasts_uri, as_of, model_name, model_version, run_id, run_moment, warehouse_role. Running it
-- again gives the same rows; once a newer run has published it changes nothing.
CREATE TEMPORARY TABLE scored (
    concert_id VARCHAR(256) NOT NULL,
    expected_tickets BIGINT NOT NULL,
    lower_tickets BIGINT NOT NULL,
    upper_tickets BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    utilisation DECIMAL(6, 4) NOT NULL,
    basis VARCHAR(64) NOT NULL,
    capacity_basis VARCHAR(64) NOT NULL,
    as_of DATE NOT NULL,
    model_name VARCHAR(128) NOT NULL,
    model_version VARCHAR(128) NOT NULL,
    run_id VARCHAR(128) NOT NULL
) DISTKEY (concert_id);

COPY scored
FROM {{ forecasts_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

DELETE FROM ml.sales_forecast
WHERE
    as_of = {{ as_of | sql_date }} AND model_name = {{ model_name | sql_slug }}
    AND NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
    );

INSERT INTO ml.sales_forecast (
    concert_id, expected_tickets, lower_tickets, upper_tickets, capacity, utilisation, basis, capacity_basis,
    as_of, model_name, model_version, run_id, published_at
)
SELECT
    concert_id, expected_tickets, lower_tickets, upper_tickets, capacity, utilisation, basis, capacity_basis,
    as_of, model_name, model_version, run_id, GETDATE()
FROM scored
WHERE NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
);

{% include "load/shared/mark_published.sql" %}
