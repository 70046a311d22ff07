-- Sources and entities whose newest load is more than two days older than the newest load of all: they have fallen
-- silent while others deliver. Severity: warn. Table: quality.load_audit
SELECT source, entity, MAX(loaded_at) AS newest
FROM quality.load_audit
WHERE status = 'loaded'
GROUP BY source, entity
HAVING MAX(loaded_at) < DATEADD(day, -2, (SELECT MAX(loaded_at) FROM quality.load_audit WHERE status = 'loaded'))
