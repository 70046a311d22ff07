-- Artists with more or fewer than one current version. Severity: fail. Table: core.dim_artist
SELECT artist_id, SUM(CASE WHEN is_current THEN 1 ELSE 0 END) AS current_versions
FROM core.dim_artist
GROUP BY artist_id
HAVING SUM(CASE WHEN is_current THEN 1 ELSE 0 END) <> 1
