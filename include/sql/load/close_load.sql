-- The last transaction of a partition, once every entity is in core: dimensions, rejected records, curation's check results,
-- and the mark that the partition is loaded. Until then its accounts are 'partial', and the next run takes it up again.
-- What an earlier load of the run wrote is replaced; a failure noted before goes. An account that a late batch has written
-- from another version of the report stays 'partial'. quality.mart_due tells the next refresh of the marts of the new dimensions.
-- Owner: data-platform. Values: run_id, dt, known, checks_uri, quarantine_manifest_uri, report_etag, warehouse_role.
LOCK staging.lock_dimension;

{% include "load/shared/dim_artist.sql" %}

{% include "load/shared/dim_venue.sql" %}

DELETE FROM quality.quarantine WHERE run_id = {{ run_id | sql_slug }};
{% if quarantine_manifest_uri %}

COPY quality.quarantine (source, entity, run_id, dt, file_name, rule, reason, record, record_uri)
FROM {{ quarantine_manifest_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto' MANIFEST;
{% endif %}

DELETE FROM quality.check_result WHERE run_id = {{ run_id | sql_slug }};

COPY quality.check_result (run_id, dt, suite, expectation, column_name, checked, failed, success, detail, severity)
FROM {{ checks_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';

DELETE FROM quality.load_audit WHERE run_id = {{ run_id | sql_slug }} AND status = 'failed';

UPDATE quality.load_audit
SET status = 'loaded', loaded_at = GETDATE()
WHERE run_id = {{ run_id | sql_slug }} AND report_etag = {{ report_etag | sql_slug }};

INSERT INTO quality.mart_due (run_id, dt, is_whole, loaded_at)
VALUES ({{ run_id | sql_slug }}, {{ dt | sql_date }}, {% if known %}TRUE{% else %}FALSE{% endif %}, GETDATE());
