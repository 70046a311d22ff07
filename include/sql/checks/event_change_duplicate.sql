-- Event ids that core.fact_event_change holds more than once.
-- Severity: fail. Table: core.fact_event_change
SELECT event_id, COUNT(*) AS copies
FROM core.fact_event_change
GROUP BY event_id
HAVING COUNT(*) > 1
