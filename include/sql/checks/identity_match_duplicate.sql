-- Keys that core.identity_match holds more than once. Severity: fail. Table: core.identity_match. Runs: run_id
SELECT entity, source, source_id, COUNT(*) AS copies
FROM core.identity_match
{% if run_ids %}
WHERE source_id IN (
    SELECT written.source_id FROM core.identity_match AS written
    WHERE written.run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY entity, source, source_id
HAVING COUNT(*) > 1
