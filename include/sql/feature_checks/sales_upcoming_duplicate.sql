-- Events that would be forecast twice. Severity: fail. Features: sales_upcoming. Values: as_of.
SELECT concert_id, COUNT(*) AS copies
FROM (
{% include "features/sales_upcoming.sql" %}
) AS upcoming
GROUP BY concert_id
HAVING COUNT(*) > 1
