-- Take out of core what an earlier load of this run brought and the run no longer delivers: a mended mapping or rule
-- gives other keys, or rejects a row. Runs before the merges, which take part of the stage away; a first load finds
-- nothing. Reads staging.*, core.fact_*. Values: run_id.
--
-- A row that this run brought and nobody has updated since goes. What two runs have delivered stays with the other one,
-- in whichever order both are curated again, and the accounts of both still close:
--     brought by this run, updated by another    that run's from now on: one key loaded more, one deduplicated less
--     brought by another run, updated by this    that run's again; its ingested_at becomes the oldest there is, so that
--                                                the next delivery of anybody replaces the values that were withdrawn
-- A run whose older delivery of a removed key had lost against this one's gets it back when it is loaded again.
UPDATE quality.load_audit
SET loaded_count = loaded_count + handed.keys, deduplicated_count = deduplicated_count - handed.keys
FROM (
        SELECT core.updated_run_id AS run_id, core.source, 'event' AS entity, COUNT(*) AS keys
        FROM core.fact_event AS core
        LEFT JOIN staging.event AS staged
            ON staged.source = core.source
                AND staged.event_id = core.event_id
        WHERE core.created_run_id = {{ run_id | sql_slug }}
            AND core.updated_run_id <> {{ run_id | sql_slug }}
            AND staged.source IS NULL
        GROUP BY core.updated_run_id, core.source
        UNION ALL
        SELECT core.updated_run_id AS run_id, core.source, 'box_office' AS entity, COUNT(*) AS keys
        FROM core.fact_box_office AS core
        LEFT JOIN staging.box_office AS staged
            ON staged.source = core.source
                AND staged.report_id = core.report_id
        WHERE core.created_run_id = {{ run_id | sql_slug }}
            AND core.updated_run_id <> {{ run_id | sql_slug }}
            AND staged.source IS NULL
        GROUP BY core.updated_run_id, core.source
        UNION ALL
        SELECT core.updated_run_id AS run_id, core.source, 'interaction' AS entity, COUNT(*) AS keys
        FROM core.fact_interaction AS core
        LEFT JOIN staging.interaction AS staged
            ON staged.source = core.source
                AND staged.user_id = core.user_id
                AND staged.source_artist_id = core.source_artist_id
        WHERE core.created_run_id = {{ run_id | sql_slug }}
            AND core.updated_run_id <> {{ run_id | sql_slug }}
            AND staged.source IS NULL
        GROUP BY core.updated_run_id, core.source
) AS handed
WHERE load_audit.run_id = handed.run_id AND load_audit.source = handed.source AND load_audit.entity = handed.entity;

DELETE FROM core.fact_event
WHERE created_run_id = {{ run_id | sql_slug }}
    AND updated_run_id = {{ run_id | sql_slug }}
    AND NOT EXISTS (
        SELECT 1 FROM staging.event AS staged
        WHERE staged.source = fact_event.source AND staged.event_id = fact_event.event_id
    );

UPDATE core.fact_event
SET created_run_id = CASE
        WHEN created_run_id = {{ run_id | sql_slug }} THEN updated_run_id ELSE created_run_id
    END,
    updated_run_id = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN created_run_id ELSE updated_run_id
    END,
    ingested_at = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN TIMESTAMP '1900-01-01 00:00:00' ELSE ingested_at
    END
WHERE (created_run_id = {{ run_id | sql_slug }} OR updated_run_id = {{ run_id | sql_slug }})
    AND created_run_id <> updated_run_id
    AND NOT EXISTS (
        SELECT 1 FROM staging.event AS staged
        WHERE staged.source = fact_event.source AND staged.event_id = fact_event.event_id
    );

DELETE FROM core.fact_box_office
WHERE created_run_id = {{ run_id | sql_slug }}
    AND updated_run_id = {{ run_id | sql_slug }}
    AND NOT EXISTS (
        SELECT 1 FROM staging.box_office AS staged
        WHERE staged.source = fact_box_office.source AND staged.report_id = fact_box_office.report_id
    );

UPDATE core.fact_box_office
SET created_run_id = CASE
        WHEN created_run_id = {{ run_id | sql_slug }} THEN updated_run_id ELSE created_run_id
    END,
    updated_run_id = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN created_run_id ELSE updated_run_id
    END,
    ingested_at = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN TIMESTAMP '1900-01-01 00:00:00' ELSE ingested_at
    END
WHERE (created_run_id = {{ run_id | sql_slug }} OR updated_run_id = {{ run_id | sql_slug }})
    AND created_run_id <> updated_run_id
    AND NOT EXISTS (
        SELECT 1 FROM staging.box_office AS staged
        WHERE staged.source = fact_box_office.source AND staged.report_id = fact_box_office.report_id
    );

DELETE FROM core.fact_interaction
WHERE created_run_id = {{ run_id | sql_slug }}
    AND updated_run_id = {{ run_id | sql_slug }}
    AND NOT EXISTS (
        SELECT 1 FROM staging.interaction AS staged
        WHERE staged.source = fact_interaction.source
            AND staged.user_id = fact_interaction.user_id
            AND staged.source_artist_id = fact_interaction.source_artist_id
    );

UPDATE core.fact_interaction
SET created_run_id = CASE
        WHEN created_run_id = {{ run_id | sql_slug }} THEN updated_run_id ELSE created_run_id
    END,
    updated_run_id = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN created_run_id ELSE updated_run_id
    END,
    ingested_at = CASE
        WHEN updated_run_id = {{ run_id | sql_slug }} THEN TIMESTAMP '1900-01-01 00:00:00' ELSE ingested_at
    END
WHERE (created_run_id = {{ run_id | sql_slug }} OR updated_run_id = {{ run_id | sql_slug }})
    AND created_run_id <> updated_run_id
    AND NOT EXISTS (
        SELECT 1 FROM staging.interaction AS staged
        WHERE staged.source = fact_interaction.source
            AND staged.user_id = fact_interaction.user_id
            AND staged.source_artist_id = fact_interaction.source_artist_id
    );
