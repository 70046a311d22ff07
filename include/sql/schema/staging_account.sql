-- staging.account: what curation says of one source and entity of the run.
-- Key (source, entity). Source: load/copy_account.sql (accounts.json). Emptied and filled by each load.
-- Owner: data-platform.
-- held, counted here before the merge: staged keys that core already has from another ingest run.
CREATE TABLE IF NOT EXISTS staging.account (
    source VARCHAR(128) NOT NULL,
    entity VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    read BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    deduplicated BIGINT NOT NULL,
    held BIGINT
) DISTSTYLE ALL;
