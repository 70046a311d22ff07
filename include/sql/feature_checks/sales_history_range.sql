-- Reports whose tickets, capacity or performances cannot be. Severity: fail. Features: sales_history. Values: as_of.
SELECT source, report_id, tickets_sold, capacity, performances
FROM (
{% include "features/sales_history.sql" %}
) AS history
WHERE
    tickets_sold IS NULL OR capacity IS NULL OR performances IS NULL
    OR tickets_sold < 0 OR capacity <= 0 OR performances < 1 OR tickets_sold > 1.6 * capacity
