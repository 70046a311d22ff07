-- quality.account: one source and entity of one ingest run; it closes when
-- read = loaded + quarantined + deduplicated and quarantined = quarantine_rows.
-- loaded and quarantine_rows are counted in core and quality.quarantine at the moment of the question, the others come
-- from quality.load_audit. loaded counts delivered records: a setlist once, however many songs.
-- What the stream has loaded comes from quality.stream_loaded. Owner: data-platform.
CREATE OR REPLACE VIEW quality.account AS
SELECT
    run_id, source, entity,
    CAST(SUM(read_count) AS BIGINT) AS read,
    CAST(SUM(loaded) AS BIGINT) AS loaded,
    CAST(SUM(quarantined) AS BIGINT) AS quarantined,
    CAST(SUM(deduplicated) AS BIGINT) AS deduplicated,
    CAST(SUM(quarantine_rows) AS BIGINT) AS quarantine_rows
FROM (
    SELECT
        run_id, source, entity, read_count, 0 AS loaded, quarantined_count AS quarantined,
        deduplicated_count AS deduplicated, 0 AS quarantine_rows
    FROM quality.load_audit
    WHERE status IN ('partial', 'loaded')
    UNION ALL
    SELECT created_run_id, source, 'event', 0, COUNT(*), 0, 0, 0
    FROM core.fact_event
    GROUP BY created_run_id, source
    UNION ALL
    SELECT created_run_id, source, 'box_office', 0, COUNT(*), 0, 0, 0
    FROM core.fact_box_office
    GROUP BY created_run_id, source
    UNION ALL
    SELECT created_run_id, source, 'interaction', 0, COUNT(*), 0, 0, 0
    FROM core.fact_interaction
    GROUP BY created_run_id, source
    UNION ALL
    SELECT created_run_id, source, 'artist', 0, COUNT(*), 0, 0, 0
    FROM core.artist_record
    GROUP BY created_run_id, source
    UNION ALL
    SELECT created_run_id, source, 'venue', 0, COUNT(*), 0, 0, 0
    FROM core.venue_record
    GROUP BY created_run_id, source
    UNION ALL
    SELECT created_run_id, source, 'setlist', 0, COUNT(DISTINCT setlist_id), 0, 0, 0
    FROM core.fact_setlist
    GROUP BY created_run_id, source
    UNION ALL
    SELECT run_id, source, entity, 0, loaded, 0, 0, 0
    FROM quality.stream_loaded
    UNION ALL
    SELECT run_id, source, entity, 0, 0, 0, 0, COUNT(*)
    FROM quality.quarantine
    GROUP BY run_id, source, entity
) AS counted
GROUP BY run_id, source, entity;
