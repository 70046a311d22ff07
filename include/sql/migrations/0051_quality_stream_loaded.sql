-- quality.stream_loaded: rows that each load of the stream has in core now, one row a load and entity.
-- quality.account takes its loaded counts from here, as it takes those of the batch sources from their tables.
-- Reads core.fact_fan_event, core.fact_event_change. Owner: data-platform.
CREATE OR REPLACE VIEW quality.stream_loaded AS
SELECT
    load_run_id AS run_id, CAST('stream' AS VARCHAR(128)) AS source, CAST('fan_event' AS VARCHAR(64)) AS entity,
    COUNT(*) AS loaded
FROM core.fact_fan_event
GROUP BY load_run_id
UNION ALL
SELECT
    load_run_id AS run_id, CAST('stream' AS VARCHAR(128)) AS source, CAST('event_change' AS VARCHAR(64)) AS entity,
    COUNT(*) AS loaded
FROM core.fact_event_change
GROUP BY load_run_id;
