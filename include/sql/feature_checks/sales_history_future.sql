-- Reports that were not known on the day as_of. Severity: fail. Features: sales_history. Values: as_of.
SELECT source, report_id, period_end
FROM (
{% include "features/sales_history.sql" %}
) AS history
WHERE period_end > {{ as_of | sql_date }} OR period_start > period_end OR period_start IS NULL OR period_end IS NULL
