-- One row when there is no interaction to learn from. Severity: fail. Features: recommender_interactions.
SELECT COUNT(*) AS pairs
FROM (
{% include "features/recommender_interactions.sql" %}
) AS interaction
HAVING COUNT(*) = 0
