-- Copy the rejected records (JSON lines); nothing when there are none. Values: quarantine_manifest_uri,
-- warehouse_role.
{% if quarantine_manifest_uri %}
COPY staging.quarantine
FROM {{ quarantine_manifest_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto' MANIFEST;
{% endif %}
