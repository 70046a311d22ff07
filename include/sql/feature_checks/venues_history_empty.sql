-- One row when there is no venue to analyse. Severity: fail. Features: venues_history. Values: as_of.
SELECT COUNT(*) AS reports
FROM (
{% include "features/venues_history.sql" %}
) AS history
HAVING COUNT(*) = 0
