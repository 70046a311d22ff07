-- Events that are past on the day as_of, or without seats. Severity: fail. Features: sales_upcoming. Values: as_of.
SELECT concert_id, period_start, capacity
FROM (
{% include "features/sales_upcoming.sql" %}
) AS upcoming
WHERE period_start <= {{ as_of | sql_date }} OR capacity IS NULL OR capacity <= 0
