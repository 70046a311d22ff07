-- Copy the curated events of one partition; nothing when it has none. Values: manifests, warehouse_role.
{% if manifests.event %}
COPY staging.event
FROM {{ manifests.event | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET MANIFEST;
{% endif %}
