-- Take out of core what an earlier load of this run has brought and the run no longer delivers: a mended mapping or rule
-- gives other keys, or rejects a row. Runs before the merges, which take part of the stage away. Values: run_id.
-- A row that another run has updated since stays, and the run's account stays open (checks/account_open.sql): curate
-- and load that run again too.
-- Reads staging.*; a first load finds nothing.
DELETE FROM core.fact_event
WHERE created_run_id = {{ run_id | sql_slug }}
    AND updated_run_id = {{ run_id | sql_slug }}
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

DELETE FROM core.fact_interaction
WHERE created_run_id = {{ run_id | sql_slug }}
    AND updated_run_id = {{ run_id | sql_slug }}
    AND NOT EXISTS (
        SELECT 1 FROM staging.interaction AS staged
        WHERE staged.source = fact_interaction.source
            AND staged.user_id = fact_interaction.user_id
            AND staged.source_artist_id = fact_interaction.source_artist_id
    );
