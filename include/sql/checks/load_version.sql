-- Accounts of another version of their run's report than the rest of the run: a batch of an earlier task committed late.
-- The next run loads them again. Severity: fail. Table: quality.load_audit. Runs: run_id
SELECT run_id, source, entity, report_etag
FROM quality.load_audit
WHERE status = 'partial'
    AND report_etag IS NOT NULL
    AND run_id IN (SELECT closed.run_id FROM quality.load_audit AS closed WHERE closed.status = 'loaded')
    {% if run_ids %}
    AND run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
