-- core.fact_fan_event takes each id once: the record that came first. Ids that core has from another load leave the stage
-- before, and a load that is run again writes its own rows anew. load_run_id never changes: loads are counted by it.
-- Reads stream_event, stream_span. Values: run_id.
CREATE TEMPORARY TABLE stream_fan_event AS
SELECT
    staged.event_id, staged.schema_version, staged.type, staged.user_id, staged.artist_id, staged.concert_id,
    staged.occurred_at, staged.event_date, staged.source, staged.properties, staged.received_at,
    staged.object_name
FROM stream_event AS staged
LEFT JOIN (
    SELECT event_id FROM core.fact_fan_event
    WHERE load_run_id <> {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
) AS held
    ON held.event_id = staged.event_id
WHERE staged.entity = 'fan_event' AND staged.rule IS NULL AND staged.place = 1 AND held.event_id IS NULL;

MERGE INTO core.fact_fan_event
USING stream_fan_event AS staged
ON fact_fan_event.event_id = staged.event_id AND fact_fan_event.event_date = staged.event_date
WHEN MATCHED THEN UPDATE SET
    object_name = staged.object_name,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    event_id, schema_version, type, user_id, artist_id, concert_id, occurred_at, event_date, source, properties,
    received_at, object_name, load_run_id, loaded_at
) VALUES (
    staged.event_id, staged.schema_version, staged.type, staged.user_id, staged.artist_id, staged.concert_id,
    staged.occurred_at, staged.event_date, staged.source, staged.properties, staged.received_at,
    staged.object_name, {{ run_id | sql_slug }}, GETDATE()
);
