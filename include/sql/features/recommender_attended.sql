-- Concerts that a user has attended, by the attend events of the stream: one row per user and concert. They are not
-- recommended again; nothing is learnt from them, so that as_of cuts nothing off. Reads core.fact_fan_event.
SELECT DISTINCT user_id, concert_id
FROM core.fact_fan_event
WHERE type = 'attend' AND concert_id IS NOT NULL AND user_id IS NOT NULL
