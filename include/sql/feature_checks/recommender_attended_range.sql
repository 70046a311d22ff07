-- Concerts attended by nobody or without a concert. Severity: fail. Features: recommender_attended.
SELECT user_id, concert_id
FROM (
{% include "features/recommender_attended.sql" %}
) AS attended
WHERE user_id = '' OR concert_id = ''
