-- Copy the rejected records (JSON lines) in place of those of an earlier load; none when there are none. No stage lies
-- between, because a load has to fit the statements of one batch. Values: run_id, quarantine_manifest_uri,
-- warehouse_role.
DELETE FROM quality.quarantine WHERE run_id = {{ run_id | sql_slug }};
{% if quarantine_manifest_uri %}

COPY quality.quarantine (source, entity, run_id, dt, file_name, rule, reason, record, record_uri)
FROM {{ quarantine_manifest_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto' MANIFEST;
{% endif %}
