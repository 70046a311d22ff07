-- quality.load_audit: one source and entity of one ingest run;
-- status 'partial': its own transaction is through, the partition's last one is not; 'failed' has one row with source and
-- entity 'all'.
-- Key (run_id, source, entity), checks/load_audit_duplicate.sql.
-- Source: load/shared/audit.sql, load/close_load.sql and the DAGs' record_failure. Owner: data-platform.
CREATE TABLE IF NOT EXISTS quality.load_audit (
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    source VARCHAR(128) NOT NULL,
    entity VARCHAR(64) NOT NULL,
    read_count BIGINT NOT NULL,
    loaded_count BIGINT NOT NULL,
    quarantined_count BIGINT NOT NULL,
    deduplicated_count BIGINT NOT NULL,
    status VARCHAR(16) NOT NULL,  -- partial | loaded | failed
    message VARCHAR(4096),
    report_etag VARCHAR(64),  -- version of the curated report that was loaded
    loaded_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (run_id, loaded_at);
