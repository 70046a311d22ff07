-- Reports whose period has no beginning, or begins after its end. Severity: fail. Features: sales_history. Values: as_of.
-- A report that ends after as_of, or never, is no feature: the query of the features leaves it out.
SELECT source, report_id, period_start, period_end
FROM (
{% include "features/sales_history.sql" %}
) AS history
WHERE period_start IS NULL OR period_start > period_end
