-- One row when there is no report to learn from. Severity: fail. Features: sales_history. Values: as_of.
SELECT COUNT(*) AS reports
FROM (
{% include "features/sales_history.sql" %}
) AS history
HAVING COUNT(*) = 0
