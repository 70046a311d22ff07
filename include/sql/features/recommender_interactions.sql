-- Who listened to whom, what the recommender learns from. Reads core.fact_interaction. One row per user and artist.
-- An interaction says how often, not when, so that as_of cuts nothing off. An artist without identity has the source's id.
SELECT user_id, NVL(artist_id, source || '-' || source_artist_id) AS artist_id, SUM(weight) AS weight
FROM core.fact_interaction
GROUP BY user_id, NVL(artist_id, source || '-' || source_artist_id)
