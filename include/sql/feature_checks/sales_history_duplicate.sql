-- Reports that the sales model would see twice. Severity: fail. Features: sales_history. Values: as_of.
SELECT source, report_id, COUNT(*) AS copies
FROM (
{% include "features/sales_history.sql" %}
) AS history
GROUP BY source, report_id
HAVING COUNT(*) > 1
