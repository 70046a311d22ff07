-- Copy the results of curation's expectations (JSON lines) in place of those of an earlier load; no stage lies between,
-- because a load has to fit the statements of one batch. Values: run_id, checks_uri, warehouse_role.
DELETE FROM quality.check_result WHERE run_id = {{ run_id | sql_slug }};

COPY quality.check_result (run_id, dt, suite, expectation, column_name, checked, failed, success, detail)
FROM {{ checks_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';
