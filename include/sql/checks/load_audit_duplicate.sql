-- Accounts that quality.load_audit holds more than once. Severity: fail. Table: quality.load_audit
SELECT run_id, source, entity, COUNT(*) AS copies
FROM quality.load_audit
GROUP BY run_id, source, entity
HAVING COUNT(*) > 1
