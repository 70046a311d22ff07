-- stream_event: the lines of the load with their entity, the rule that they break, and their place among those of their id.
-- place 1 is the record that stands: the one that came first. Reads stream_record.
-- stream_span: the oldest day of core (its sort key) on which an id of the load may stand. A repeat has the day of its first
-- record, unless its sender leaves the time to the API; the function knows an id for 15 days, an event may be 7 old.
CREATE TEMPORARY TABLE stream_event AS
SELECT
    judged.*,
    ROW_NUMBER() OVER (
        PARTITION BY judged.entity, judged.event_id, CASE WHEN judged.rule IS NULL THEN 0 ELSE 1 END
        ORDER BY judged.received_at, judged.object_name
    ) AS place
FROM (
    SELECT
        stream_record.*,
        CASE
            WHEN type IN ('event_listed', 'price_changed', 'rescheduled', 'status_changed') THEN 'event_change'
            ELSE 'fan_event'
        END AS entity,
        CASE
            WHEN event_id IS NULL OR event_id = '' THEN 'event_id_missing'
            WHEN type IS NULL OR type = '' THEN 'type_missing'
            WHEN schema_version IS NULL THEN 'schema_version_missing'
            WHEN occurred_at IS NULL OR event_date IS NULL OR received_at IS NULL THEN 'time_missing'
            WHEN object_name IS NULL THEN 'object_name_missing'
            WHEN OCTET_LENGTH(event_id) > 128 OR OCTET_LENGTH(type) > 64 OR OCTET_LENGTH(user_id) > 128
                OR OCTET_LENGTH(artist_id) > 128 OR OCTET_LENGTH(concert_id) > 256 OR OCTET_LENGTH(source) > 128
                THEN 'value_too_long'
        END AS rule
    FROM stream_record
) AS judged;

CREATE TEMPORARY TABLE stream_span AS
SELECT CAST(DATEADD(day, -31, MIN(event_date)) AS DATE) AS oldest_date
FROM stream_event
WHERE rule IS NULL;
