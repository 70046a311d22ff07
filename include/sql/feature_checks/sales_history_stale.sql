-- One row when the newest report is more than 90 days older than as_of. Severity: warn. Features: sales_history. Values: as_of.
SELECT MAX(period_end) AS newest
FROM (
{% include "features/sales_history.sql" %}
) AS history
HAVING MAX(period_end) < DATEADD(day, -90, CAST({{ as_of | sql_date }} AS TIMESTAMP))
