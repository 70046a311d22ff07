-- What the recommender would learn from, as one row: pairs, and a number that any change of one changes.
-- Reads features/recommender_interactions.sql.
SELECT
    COUNT(*) AS pairs,
    NVL(SUM(STRTOL(SUBSTRING(MD5(
        user_id || '|' || artist_id || '|' || NVL(CAST(CAST(weight AS DECIMAL(18, 4)) AS VARCHAR(32)), '')
    ), 1, 12), 16)), 0) AS content
FROM (
{% include "features/recommender_interactions.sql" %}
) AS interaction
