-- Copy the curated box-office reports of one partition; nothing when it has none. Values: manifests, warehouse_role.
{% if manifests.box_office %}
COPY staging.box_office
FROM {{ manifests.box_office | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS PARQUET MANIFEST;
{% endif %}
