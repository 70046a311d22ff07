-- Accounts that quality.load_audit holds more than once. Severity: fail. Table: quality.load_audit. Runs: run_id
SELECT run_id, source, entity, COUNT(*) AS copies
FROM quality.load_audit
{% if run_ids %}
WHERE run_id IN ({{ run_ids | sql_slugs }})
{% endif %}
GROUP BY run_id, source, entity
HAVING COUNT(*) > 1
