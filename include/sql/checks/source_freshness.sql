-- Sources and entities whose newest day with records lies more than two days before the newest day of all: they have
-- fallen silent while others deliver. Severity: warn. Table: quality.load_audit
SELECT source, entity, MAX(dt) AS newest
FROM quality.load_audit
WHERE status = 'loaded' AND read_count > 0
GROUP BY source, entity
HAVING MAX(dt) < (
    SELECT DATEADD(day, -2, MAX(every.dt))
    FROM quality.load_audit AS every
    WHERE every.status = 'loaded' AND every.read_count > 0 AND every.source <> 'stream'
)
