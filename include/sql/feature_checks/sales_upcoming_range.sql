-- Events without seats, as long as no venue has any. Severity: fail. Features: sales_upcoming. Values: as_of.
SELECT concert_id, capacity
FROM (
{% include "features/sales_upcoming.sql" %}
) AS upcoming
WHERE capacity IS NULL
