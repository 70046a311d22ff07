-- Copy what curation says of each source and entity (JSON lines). Values: accounts_uri, warehouse_role.
COPY staging.account
FROM {{ accounts_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';
