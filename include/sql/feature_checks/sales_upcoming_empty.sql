-- One row when there is no event to forecast. Severity: warn. Features: sales_upcoming. Values: as_of.
SELECT COUNT(*) AS events
FROM (
{% include "features/sales_upcoming.sql" %}
) AS upcoming
HAVING COUNT(*) = 0
