-- Copy the curated rows of one entity of the partition into the temporary table staged; nothing when it has none.
-- Values: manifests, entity, warehouse_role.
{% if manifests[entity] %}
COPY staged
FROM {{ manifests[entity] | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET MANIFEST;
{% endif %}
