-- Interactions without user or artist, or whose weight is negative or none. Severity: fail. Features: recommender_interactions.
SELECT user_id, artist_id, weight
FROM (
{% include "features/recommender_interactions.sql" %}
) AS interaction
WHERE user_id IS NULL OR user_id = '' OR artist_id IS NULL OR artist_id = '' OR weight IS NULL OR weight < 0
