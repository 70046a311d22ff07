-- core.fact_event_change takes each id once: the record that came first. Ids that core has from another load leave the stage
-- before, and a load that is run again writes its own rows anew. load_run_id never changes: loads are counted by it.
-- Reads stream_event, stream_span. Values: run_id.
CREATE TEMPORARY TABLE stream_event_change AS
SELECT
    staged.event_id, staged.schema_version, staged.type, staged.concert_id, staged.occurred_at,
    staged.event_date, staged.source, staged.properties, staged.received_at, staged.object_name
FROM stream_event AS staged
LEFT JOIN (
    SELECT event_id FROM core.fact_event_change
    WHERE load_run_id <> {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
) AS held
    ON held.event_id = staged.event_id
WHERE staged.entity = 'event_change' AND staged.rule IS NULL AND staged.place = 1 AND held.event_id IS NULL;

MERGE INTO core.fact_event_change
USING stream_event_change AS staged
ON fact_event_change.event_id = staged.event_id AND fact_event_change.event_date = staged.event_date
WHEN MATCHED THEN UPDATE SET
    object_name = staged.object_name,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    event_id, schema_version, type, concert_id, occurred_at, event_date, source, properties, received_at,
    object_name, load_run_id, loaded_at
) VALUES (
    staged.event_id, staged.schema_version, staged.type, staged.concert_id, staged.occurred_at,
    staged.event_date, staged.source, staged.properties, staged.received_at, staged.object_name,
    {{ run_id | sql_slug }}, GETDATE()
);
