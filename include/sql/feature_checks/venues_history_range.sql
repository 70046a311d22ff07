-- Reports of venues whose tickets, capacity or money cannot be. Severity: fail. Features: venues_history. Values: as_of.
SELECT source, report_id, tickets_sold, capacity, performances, gross
FROM (
{% include "features/venues_history.sql" %}
) AS history
WHERE tickets_sold < 0 OR capacity <= 0 OR performances < 1 OR gross < 0 OR tickets_sold > 1.6 * capacity
