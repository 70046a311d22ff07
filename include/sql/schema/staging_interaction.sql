-- staging.interaction: one user's interaction with an artist, as its Parquet files have it (columns in that order).
-- Key (source, user_id, source_artist_id). Source: load/copy_interaction.sql. Emptied and filled by each load.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.interaction (
    source VARCHAR(128) NOT NULL,
    user_id VARCHAR(256) NOT NULL,
    source_artist_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    weight DOUBLE PRECISION,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (artist_id);
