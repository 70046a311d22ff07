-- staging.quarantine: one rejected record of the run.
-- No key: a source may repeat a broken record. Source: load/copy_quarantine.sql (JSON lines).
-- Emptied and filled by each load. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.quarantine (
    source VARCHAR(128) NOT NULL,
    entity VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    file_name VARCHAR(2048),
    rule VARCHAR(256) NOT NULL,
    reason VARCHAR(16384),
    record VARCHAR(65535),
    record_uri VARCHAR(2048)
) DISTSTYLE EVEN;
