-- quality.stream_object: one version of a micro-batch that was loaded.
-- Key (object_name, etag): a batch of the stream that comes again overwrites its object, which is then loaded again.
-- Source: stream/record_objects.sql. Owner: data-platform.
-- modified_at, of S3, is the watermark of load_stream: hence the sort key.
CREATE TABLE IF NOT EXISTS quality.stream_object (
    object_name VARCHAR(2048) NOT NULL,
    etag VARCHAR(64) NOT NULL,
    modified_at TIMESTAMP NOT NULL,
    bytes BIGINT NOT NULL,
    records BIGINT NOT NULL,
    load_run_id VARCHAR(128) NOT NULL,
    loaded_at TIMESTAMP NOT NULL
) DISTSTYLE EVEN SORTKEY (modified_at);
