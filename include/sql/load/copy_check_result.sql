-- Copy the results of curation's expectations (JSON lines). Values: checks_uri, warehouse_role.
COPY staging.check_result
FROM {{ checks_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';
