-- Write the load's accounts, one a entity; loaded is asked from core. What an earlier try of the load wrote is replaced.
-- Reads stream_account, stream_span, core.fact_fan_event, core.fact_event_change. Values: run_id, dt.
DELETE FROM quality.load_audit WHERE run_id = {{ run_id | sql_slug }} AND source = 'stream';

INSERT INTO quality.load_audit (
    run_id, dt, source, entity, read_count, loaded_count, quarantined_count, deduplicated_count,
    status, message, report_etag, loaded_at
)
SELECT
    {{ run_id | sql_slug }}, CAST({{ dt | sql_date }} AS DATE), 'stream', stream_account.entity,
    stream_account.read_count, NVL(core.loaded, 0), stream_account.quarantined_count,
    stream_account.deduplicated_count, 'loaded', NULL, NULL, GETDATE()
FROM stream_account
LEFT JOIN (
    SELECT 'fan_event' AS entity, COUNT(*) AS loaded FROM core.fact_fan_event
    WHERE load_run_id = {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
    UNION ALL
    SELECT 'event_change' AS entity, COUNT(*) AS loaded FROM core.fact_event_change
    WHERE load_run_id = {{ run_id | sql_slug }} AND event_date >= (SELECT stream_span.oldest_date FROM stream_span)
) AS core
    ON core.entity = stream_account.entity;
