-- Event ids that core.fact_fan_event holds more than once.
-- Severity: fail. Table: core.fact_fan_event
SELECT event_id, COUNT(*) AS copies
FROM core.fact_fan_event
GROUP BY event_id
HAVING COUNT(*) > 1
