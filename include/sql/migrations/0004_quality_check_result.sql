-- quality.check_result: one expectation's result of one ingest run; suite 'warehouse' is include/sql/checks.
-- Key (run_id, suite, expectation, column_name). Source: load/close_load.sql (checks.json), load/record_checks.sql.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS quality.check_result (
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    suite VARCHAR(128) NOT NULL,
    expectation VARCHAR(512) NOT NULL,
    column_name VARCHAR(512),
    checked BIGINT,
    failed BIGINT,
    success BOOLEAN NOT NULL,
    detail VARCHAR(65535),
    loaded_at TIMESTAMP DEFAULT GETDATE() NOT NULL
) DISTSTYLE ALL SORTKEY (run_id, loaded_at);
