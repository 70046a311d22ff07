-- quality.mart_due: one load of one curated run that the marts do not show yet: a row stays while their refresh fails, and the
-- next one that goes through takes it in.
-- Key due_key; a run that is loaded again before a refresh has several rows. Read as a whole, and empty after each refresh.
-- Source: load/close_load.sql; load/forget_due.sql takes rows away. Owner: analytics.
CREATE TABLE IF NOT EXISTS quality.mart_due (
    due_key BIGINT IDENTITY(1, 1) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    dt DATE,  -- day of the run; null where only the marts as a whole are due
    is_whole BOOLEAN NOT NULL,  -- the run was loaded before, and this load may have taken rows away or moved them
    loaded_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (due_key);
