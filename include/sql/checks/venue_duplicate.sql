-- Keys that core.venue_record holds more than once. Severity: fail. Table: core.venue_record. Runs: updated_run_id
SELECT source, source_venue_id, COUNT(*) AS copies
FROM core.venue_record
{% if run_ids %}
WHERE source_venue_id IN (
    SELECT written.source_venue_id FROM core.venue_record AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, source_venue_id
HAVING COUNT(*) > 1
