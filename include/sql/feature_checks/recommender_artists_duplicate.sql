-- Artists that have more than one name: which one is shown would be left to chance. Severity: fail. Features: recommender_artists.
SELECT artist_id, COUNT(*) AS names
FROM (
{% include "features/recommender_artists.sql" %}
) AS artists
GROUP BY artist_id
HAVING COUNT(*) > 1
