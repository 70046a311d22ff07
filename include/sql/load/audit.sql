-- Write the run's accounts; what an earlier load of the run wrote is replaced.
-- Reads staging.account, core.fact_*. Values: run_id, report_etag.
DELETE FROM quality.load_audit WHERE run_id = {{ run_id | sql_slug }};

INSERT INTO quality.load_audit (
    run_id, dt, source, entity, read_count, loaded_count, quarantined_count, deduplicated_count,
    status, message, report_etag, loaded_at
)
SELECT
    account.run_id, account.dt, account.source, account.entity, account.read, NVL(core.loaded, 0),
    account.quarantined, account.deduplicated + NVL(account.held, 0), 'loaded', NULL,
    {{ report_etag | sql_slug }}, GETDATE()
FROM staging.account AS account
LEFT JOIN (
    SELECT source, 'event' AS entity, COUNT(*) AS loaded
    FROM core.fact_event
    WHERE created_run_id = {{ run_id | sql_slug }}
    GROUP BY source
    UNION ALL
    SELECT source, 'box_office' AS entity, COUNT(*) AS loaded
    FROM core.fact_box_office
    WHERE created_run_id = {{ run_id | sql_slug }}
    GROUP BY source
    UNION ALL
    SELECT source, 'interaction' AS entity, COUNT(*) AS loaded
    FROM core.fact_interaction
    WHERE created_run_id = {{ run_id | sql_slug }}
    GROUP BY source
) AS core
    ON core.source = account.source AND core.entity = account.entity;
