-- Keys that core.artist_record holds more than once. Severity: fail. Table: core.artist_record. Runs: updated_run_id
SELECT source, source_artist_id, COUNT(*) AS copies
FROM core.artist_record
{% if run_ids %}
WHERE source_artist_id IN (
    SELECT written.source_artist_id FROM core.artist_record AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, source_artist_id
HAVING COUNT(*) > 1
