-- core.fact_interaction takes the staged rows: a new key is inserted, a known one updated when the staged row is
-- newer.
-- Redshift's WHEN MATCHED takes no condition, so rows that may not win leave the stage first: older ones, and those
-- as
-- old as a row of another run. A run's own rows stay, so that a curation mended since replaces what it wrote.
-- created_run_id never changes. Running it again with the same rows changes nothing but loaded_at.
DELETE FROM staging.interaction
USING core.fact_interaction AS core
WHERE interaction.source = core.source
    AND interaction.user_id = core.user_id
    AND interaction.source_artist_id = core.source_artist_id
    AND (
        core.ingested_at > interaction.ingested_at
        OR (core.ingested_at = interaction.ingested_at AND core.updated_run_id <> interaction.run_id)
    );

MERGE INTO core.fact_interaction
USING staging.interaction AS staged
ON fact_interaction.source = staged.source
    AND fact_interaction.user_id = staged.user_id
    AND fact_interaction.source_artist_id = staged.source_artist_id
WHEN MATCHED THEN UPDATE SET
    artist_id = staged.artist_id,
    artist = staged.artist,
    weight = staged.weight,
    ingested_at = staged.ingested_at,
    file_name = staged.file_name,
    updated_run_id = staged.run_id,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    source, user_id, source_artist_id, artist_id, artist, weight,
    ingested_at, file_name,
    created_run_id, updated_run_id, loaded_at
) VALUES (
    staged.source, staged.user_id, staged.source_artist_id, staged.artist_id, staged.artist, staged.weight,
    staged.ingested_at, staged.file_name,
    staged.run_id, staged.run_id, GETDATE()
);
