-- core.fact_interaction: one user's weighted interaction with an artist; weight is the source's own count.
-- Key (source, user_id, source_artist_id), checks/interaction_duplicate.sql.
-- Distributed by artist, by which recommendations and dimensions join. The sort key holds what loads, marts and checks filter by:
-- the user and the runs.
-- The key is checked, not declared: Redshift would trust it without enforcing it.
-- Source: curated interactions by load/interaction.sql; the newest ingested_at wins. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_interaction (
    source VARCHAR(128) NOT NULL,
    user_id VARCHAR(256) NOT NULL,
    source_artist_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    weight DOUBLE PRECISION,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    created_run_id VARCHAR(128) NOT NULL,  -- ingest run that brought the key; never changes, loads are counted by it
    updated_run_id VARCHAR(128) NOT NULL,  -- ingest run whose values stand here
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (artist_id) SORTKEY (user_id, created_run_id, updated_run_id);
