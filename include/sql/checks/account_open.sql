-- Accounts that do not close: read <> loaded + quarantined + deduplicated, or the quarantine holds another number of
-- records than was counted. Per ingest run, so that no run hides the loss of another.
-- Severity: fail. Table: quality.account. Runs: run_id
SELECT run_id, source, entity, read, loaded, quarantined, deduplicated, quarantine_rows
FROM quality.account
WHERE (read <> loaded + quarantined + deduplicated OR quarantined <> quarantine_rows)
    {% if run_ids %}
    AND run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
