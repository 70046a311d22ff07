-- Keys that core.fact_setlist holds more than once. Severity: fail. Table: core.fact_setlist. Runs: updated_run_id
SELECT source, setlist_id, song_position, COUNT(*) AS copies
FROM core.fact_setlist
{% if run_ids %}
WHERE setlist_id IN (
    SELECT written.setlist_id FROM core.fact_setlist AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, setlist_id, song_position
HAVING COUNT(*) > 1
