-- Write the accounts of one entity of the run in place of those of an earlier load. Last in its transaction, so that loads
-- side by side wait for this table no longer than a commit takes. status becomes 'loaded' with the partition's last
-- transaction, of which it names the report. loaded is counted in core. Sets: table, key. Values: run_id, dt, entity,
-- report_etag.
--
-- What this run withdraws may have stood before what other ones delivered, now or when they were loaded: the accounts of
-- the run that brought the key, and all that count rows as held by another run, become 'partial' without a report, and
-- the next run of load_warehouse takes them up again (concert_platform.backlog).
--
-- quality.mart_due tells the next refresh of the marts, whichever it is, also when the rest of the partition never comes.
UPDATE quality.load_audit
SET loaded_count = loaded_count + handed.keys, deduplicated_count = deduplicated_count - handed.keys
FROM (
        SELECT updated_run_id AS run_id, source, COUNT(*) AS keys
        FROM withdrawn
        WHERE created_run_id = {{ run_id | sql_slug }} AND updated_run_id <> {{ run_id | sql_slug }}
        GROUP BY updated_run_id, source
) AS handed
WHERE load_audit.run_id = handed.run_id
    AND load_audit.source = handed.source
    AND load_audit.entity = {{ entity | sql_slug }};

UPDATE quality.load_audit
SET status = 'partial', report_etag = NULL
FROM (
        SELECT DISTINCT source, created_run_id
        FROM withdrawn
        WHERE updated_run_id = {{ run_id | sql_slug }}
    ) AS missed
WHERE load_audit.source = missed.source
    AND load_audit.entity = {{ entity | sql_slug }}
    AND load_audit.run_id <> {{ run_id | sql_slug }}
    AND (load_audit.run_id = missed.created_run_id OR load_audit.deduplicated_count > 0);

INSERT INTO quality.mart_due (run_id, dt, is_whole, loaded_at)
SELECT {{ run_id | sql_slug }}, CAST({{ dt | sql_date }} AS DATE), COUNT(*) > 0, GETDATE()
FROM quality.load_audit
WHERE run_id = {{ run_id | sql_slug }} AND entity = {{ entity | sql_slug }} AND status <> 'failed';

DELETE FROM quality.load_audit
WHERE run_id = {{ run_id | sql_slug }} AND entity = {{ entity | sql_slug }};

INSERT INTO quality.load_audit (
    run_id, dt, source, entity, read_count, loaded_count, quarantined_count, deduplicated_count,
    status, message, report_etag, loaded_at
)
SELECT
    account.run_id, account.dt, account.source, account.entity, account.read, NVL(loaded.keys, 0),
    account.quarantined, account.deduplicated + NVL(held.keys, 0), 'partial', NULL,
    {{ report_etag | sql_slug }}, GETDATE()
FROM account
LEFT JOIN (
    SELECT counted.source, COUNT(*) AS keys
    FROM (
        SELECT DISTINCT {% for column in key %}core.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}

        FROM staged
        INNER JOIN core.{{ table }} AS core
            ON {% for column in key %}{% if not loop.first %} AND {% endif %}core.{{ column }} = staged.{{ column }}{% endfor %}

        WHERE core.created_run_id = {{ run_id | sql_slug }}
    ) AS counted
    GROUP BY counted.source
) AS loaded ON loaded.source = account.source
LEFT JOIN (
    SELECT source, COUNT(*) AS keys
    FROM known
    WHERE created_run_id <> {{ run_id | sql_slug }}
    GROUP BY source
) AS held ON held.source = account.source
WHERE account.entity = {{ entity | sql_slug }};
