-- Keys that core.fact_event holds more than once. Severity: fail. Table: core.fact_event
SELECT source, event_id, COUNT(*) AS copies
FROM core.fact_event
GROUP BY source, event_id
HAVING COUNT(*) > 1
