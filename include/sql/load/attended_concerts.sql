-- Upcoming concerts that users attend, by the attend events of the stream: one row per user and concert, a user's first 500.
-- What nobody lists is left out: a caller of the API may name any concert. Reads core.fact_fan_event, core.fact_event;
-- changes nothing. For models/publication.py. Owner: data-platform. Values: as_of.
WITH attended AS (
    SELECT DISTINCT user_id, concert_id
    FROM core.fact_fan_event
    WHERE type = 'attend' AND user_id IS NOT NULL
),

upcoming AS (
    SELECT event_id, MIN(event_date) AS event_date
    FROM core.fact_event
    WHERE event_date > {{ as_of | sql_date }}
    GROUP BY event_id
),

listed AS (
    SELECT
        attended.user_id, attended.concert_id,
        ROW_NUMBER() OVER (PARTITION BY attended.user_id ORDER BY upcoming.event_date, attended.concert_id) AS _rank
    FROM attended
    INNER JOIN upcoming ON upcoming.event_id = attended.concert_id
)

SELECT user_id, concert_id
FROM listed
WHERE _rank <= 500
ORDER BY user_id, concert_id
