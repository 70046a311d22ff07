-- Keys that core.fact_event holds more than once. Severity: fail. Table: core.fact_event. Runs: updated_run_id
SELECT source, event_id, COUNT(*) AS copies
FROM core.fact_event
{% if run_ids %}
WHERE event_id IN (
    SELECT written.event_id FROM core.fact_event AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, event_id
HAVING COUNT(*) > 1
