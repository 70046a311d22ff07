-- Names of artists as recommendations show them, one row per artist. Reads core.dim_artist, core.fact_interaction.
-- An artist without identity has the source's id, as in features/recommender_interactions.sql.
SELECT artist_id, name FROM core.dim_artist WHERE is_current
UNION ALL
SELECT source || '-' || source_artist_id AS artist_id, MAX(artist) AS name
FROM core.fact_interaction
WHERE artist_id IS NULL AND artist IS NOT NULL
GROUP BY source || '-' || source_artist_id
