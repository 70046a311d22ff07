-- staging.check_result: one expectation's result of the run.
-- Key (suite, expectation, column_name). Source: load/copy_check_result.sql (checks.json).
-- Emptied and filled by each load. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.check_result (
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    suite VARCHAR(128) NOT NULL,
    expectation VARCHAR(512) NOT NULL,
    column_name VARCHAR(512),
    checked BIGINT,
    failed BIGINT,
    success BOOLEAN NOT NULL,
    detail VARCHAR(65535)
) DISTSTYLE ALL;
