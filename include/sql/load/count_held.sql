-- Count the staged keys that core already holds from another ingest run: they are deduplicated, not loaded.
-- Runs before the merges, which take part of the stage away. Reads staging.* and core.fact_*.
UPDATE staging.account
SET held = counted.held
FROM (
        SELECT staged.source, 'event' AS entity, COUNT(*) AS held
        FROM staging.event AS staged
        INNER JOIN core.fact_event AS core
            ON core.source = staged.source
                AND core.event_id = staged.event_id
        WHERE core.created_run_id <> staged.run_id
        GROUP BY staged.source
        UNION ALL
        SELECT staged.source, 'box_office' AS entity, COUNT(*) AS held
        FROM staging.box_office AS staged
        INNER JOIN core.fact_box_office AS core
            ON core.source = staged.source
                AND core.report_id = staged.report_id
        WHERE core.created_run_id <> staged.run_id
        GROUP BY staged.source
        UNION ALL
        SELECT staged.source, 'interaction' AS entity, COUNT(*) AS held
        FROM staging.interaction AS staged
        INNER JOIN core.fact_interaction AS core
            ON core.source = staged.source
                AND core.user_id = staged.user_id
                AND core.source_artist_id = staged.source_artist_id
        WHERE core.created_run_id <> staged.run_id
        GROUP BY staged.source
) AS counted
WHERE account.source = counted.source AND account.entity = counted.entity;
