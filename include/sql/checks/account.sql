-- The account of each source and entity over the whole history, for the run report; no check (see account_open.sql).
-- loaded is counted in core itself. Reads quality.account.
SELECT
    source, entity, CAST(SUM(read) AS BIGINT) AS read, CAST(SUM(loaded) AS BIGINT) AS loaded,
    CAST(SUM(quarantined) AS BIGINT) AS quarantined, CAST(SUM(deduplicated) AS BIGINT) AS deduplicated
FROM quality.account
GROUP BY source, entity
ORDER BY source, entity
