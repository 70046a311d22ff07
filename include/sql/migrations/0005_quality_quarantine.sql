-- quality.quarantine: one rejected record with the rule that it broke; record is JSON text, or the first 2 KB of a
-- large one.
-- No key: a source may repeat a broken record. Source: load/close_load.sql (JSON lines), replaced per run_id.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS quality.quarantine (
    source VARCHAR(128) NOT NULL,
    entity VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    file_name VARCHAR(2048),
    rule VARCHAR(256) NOT NULL,
    reason VARCHAR(16384),
    record VARCHAR(65535),
    record_uri VARCHAR(2048),
    loaded_at TIMESTAMP DEFAULT GETDATE() NOT NULL
) DISTSTYLE EVEN SORTKEY (run_id, loaded_at);
