-- Keys that core.fact_interaction holds more than once. Severity: fail. Table: core.fact_interaction. Runs: updated_run_id
SELECT source, user_id, source_artist_id, COUNT(*) AS copies
FROM core.fact_interaction
{% if run_ids %}
WHERE user_id IN (
    SELECT written.user_id FROM core.fact_interaction AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, user_id, source_artist_id
HAVING COUNT(*) > 1
