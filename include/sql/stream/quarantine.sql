-- Keep what breaks a rule of the warehouse, with the rule; what an earlier try of the load wrote is replaced.
-- The stream's function lets none of these pass: a line of it was written by somebody else. Reads stream_event.
-- Values: run_id, dt.
DELETE FROM quality.quarantine WHERE run_id = {{ run_id | sql_slug }} AND source = 'stream';

INSERT INTO quality.quarantine (source, entity, run_id, dt, file_name, rule, reason, record, loaded_at)
SELECT
    'stream', entity, {{ run_id | sql_slug }}, CAST({{ dt | sql_date }} AS DATE), object_name, rule,
    'a line of a micro-batch breaks the rule ' || rule,
    'event_id ' || NVL(SUBSTRING(event_id, 1, 256), 'null') || ', type ' || NVL(SUBSTRING(type, 1, 256), 'null'),
    GETDATE()
FROM stream_event
WHERE rule IS NOT NULL;
