-- Copy the curated interactions of one partition; nothing when it has none. Values: manifests, warehouse_role.
{% if manifests.interaction %}
COPY staging.interaction
FROM {{ manifests.interaction | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET MANIFEST;
{% endif %}
