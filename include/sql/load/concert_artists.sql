-- Who plays the concerts that the stream may name, one row per concert, for streams/concert_artists.py. Owner: data-platform.
-- artist_id is the platform's, after identity resolution; null when nobody is known. Of a concert that two sources list it
-- is the artist of marts/event_funnel.sql. Reads core.fact_event; changes nothing.
-- What these runs have loaded, and what came in after `since`, which no publication has seen; from the day `oldest` on.
-- Values: run_ids, since, oldest.
WITH loaded AS (
    SELECT event_id, MAX(loaded_at) AS loaded_at
    FROM core.fact_event
    WHERE (event_date >= {{ oldest | sql_date }} OR event_date IS NULL)
        AND (loaded_at > {{ since | sql_timestamp }} OR updated_run_id IN ({{ run_ids | sql_slugs }}))
    GROUP BY event_id
),

listed AS (
    SELECT
        event.event_id, event.artist_id, event.event_date, loaded.loaded_at,
        ROW_NUMBER() OVER (PARTITION BY event.event_id ORDER BY event.ingested_at DESC, event.source ASC) AS _rank
    FROM core.fact_event AS event
    INNER JOIN loaded ON loaded.event_id = event.event_id
)

SELECT event_id, artist_id, event_date, loaded_at
FROM listed
WHERE _rank = 1
ORDER BY event_id
