-- Concerts that are there more than once: one would be shown twice. Severity: fail. Features: recommender_events.
SELECT concert_id, COUNT(*) AS concerts
FROM (
{% include "features/recommender_events.sql" %}
) AS events
GROUP BY concert_id
HAVING COUNT(*) > 1
