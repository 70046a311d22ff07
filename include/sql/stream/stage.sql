-- Stage of one load of the stream: temporary tables, so that nothing of a killed load is left.
-- stream_object: the micro-batches of the load. stream_record: their lines as text of any length, for a line that breaks
-- a rule must be quarantined, not fail the load. Values: objects_uri, manifest_uri, warehouse_role.
CREATE TEMPORARY TABLE stream_object (
    object_name VARCHAR(2048),
    etag VARCHAR(64),
    modified_at TIMESTAMP,
    bytes BIGINT
);

COPY stream_object
FROM {{ objects_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto' GZIP TIMEFORMAT 'auto';

CREATE TEMPORARY TABLE stream_record (
    event_id VARCHAR(65535),
    schema_version INTEGER,
    type VARCHAR(65535),
    user_id VARCHAR(65535),
    artist_id VARCHAR(65535),
    concert_id VARCHAR(65535),
    occurred_at TIMESTAMP,
    event_date DATE,
    source VARCHAR(65535),
    properties VARCHAR(65535),
    received_at TIMESTAMP,
    object_name VARCHAR(2048)
);

COPY stream_record
FROM {{ manifest_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto' GZIP MANIFEST TIMEFORMAT 'auto';
