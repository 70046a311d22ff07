-- Write the accounts of one entity of the run in place of those of an earlier load. Last in its transaction, so that loads
-- side by side wait for this table no longer than a commit takes. status becomes 'loaded' with the partition's last
-- transaction, of which it names the report. loaded is counted in core. Sets: table, key. Values: run_id, entity, report_etag.
--
-- What this run withdraws may have stood before something that another one delivered: the accounts of that run become
-- 'partial' without a report, and the next run of load_warehouse takes it up again (concert_platform.backlog).
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
        SELECT DISTINCT
            source,
            CASE WHEN updated_run_id = created_run_id THEN NULL ELSE created_run_id END AS earlier_run_id
        FROM withdrawn
        WHERE updated_run_id = {{ run_id | sql_slug }}
    ) AS missed
WHERE load_audit.source = missed.source
    AND load_audit.entity = {{ entity | sql_slug }}
    AND load_audit.run_id <> {{ run_id | sql_slug }}
    AND (load_audit.run_id = missed.earlier_run_id OR (missed.earlier_run_id IS NULL AND load_audit.lost_count > 0));

DELETE FROM quality.load_audit
WHERE run_id = {{ run_id | sql_slug }} AND entity = {{ entity | sql_slug }};

INSERT INTO quality.load_audit (
    run_id, dt, source, entity, read_count, loaded_count, quarantined_count, deduplicated_count,
    status, message, report_etag, lost_count, loaded_at
)
SELECT
    account.run_id, account.dt, account.source, account.entity, account.read, NVL(loaded.keys, 0),
    account.quarantined, account.deduplicated + NVL(held.keys, 0), 'partial', NULL,
    {{ report_etag | sql_slug }}, NVL(lost.keys, 0), GETDATE()
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
LEFT JOIN (
    SELECT staged.source, COUNT(*) AS keys
    FROM staged
    INNER JOIN known
        ON {% for column in key %}{% if not loop.first %} AND {% endif %}known.{{ column }} = staged.{{ column }}{% endfor %}

    WHERE known.ingested_at >= staged.ingested_at AND known.updated_run_id <> staged.run_id
    GROUP BY staged.source
) AS lost ON lost.source = account.source
WHERE account.entity = {{ entity | sql_slug }};
