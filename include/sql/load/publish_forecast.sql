-- Publish the forecasts of a scoring job: ml.sales_forecast of the same day and model is replaced, ml.model_registry
-- gets the version. Values: forecasts_uri, registry_uri, as_of, model_name, warehouse_role. One transaction.
DELETE FROM staging.sales_forecast;
DELETE FROM staging.model_registry;

COPY staging.sales_forecast
FROM {{ forecasts_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

COPY staging.model_registry
FROM {{ registry_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

DELETE FROM ml.sales_forecast
WHERE as_of = {{ as_of | sql_date }} AND model_name = {{ model_name | sql_slug }};

INSERT INTO ml.sales_forecast (
    concert_id, expected_tickets, lower_tickets, upper_tickets, capacity, utilisation, basis, capacity_basis,
    as_of, model_name, model_version, run_id, published_at
)
SELECT
    concert_id, expected_tickets, lower_tickets, upper_tickets, capacity, utilisation, basis, capacity_basis,
    as_of, model_name, model_version, run_id, GETDATE()
FROM staging.sales_forecast;

DELETE FROM ml.model_registry
USING staging.model_registry AS staged
WHERE model_registry.name = staged.name AND model_registry.version = staged.version;

INSERT INTO ml.model_registry (name, version, run_id, status, metrics, baseline, model_uri, registered_at)
SELECT name, version, run_id, status, metrics, baseline, model_uri, GETDATE()
FROM staging.model_registry;
