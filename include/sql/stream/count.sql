-- stream_account: read, quarantined and deduplicated of each entity of the load, counted before the merges.
-- deduplicated: lines that repeat an id of the load, and ids that core has from another load.
-- Reads stream_event, stream_span, core.fact_fan_event, core.fact_event_change. Values: run_id.
CREATE TEMPORARY TABLE stream_account AS
SELECT
    entities.entity,
    COUNT(stream_event.entity) AS read_count,
    COUNT(stream_event.rule) AS quarantined_count,
    COUNT(CASE WHEN stream_event.rule IS NULL AND (stream_event.place > 1 OR held.event_id IS NOT NULL) THEN 1 END)
        AS deduplicated_count
FROM (SELECT 'fan_event' AS entity UNION ALL SELECT 'event_change' AS entity) AS entities
LEFT JOIN stream_event ON stream_event.entity = entities.entity
LEFT JOIN (
    SELECT 'fan_event' AS entity, event_id FROM core.fact_fan_event
    WHERE load_run_id <> {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
    UNION ALL
    SELECT 'event_change' AS entity, event_id FROM core.fact_event_change
    WHERE load_run_id <> {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
) AS held
    ON held.entity = stream_event.entity AND held.event_id = stream_event.event_id
GROUP BY entities.entity;
