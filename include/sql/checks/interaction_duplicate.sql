-- Keys that core.fact_interaction holds more than once. Severity: fail. Table: core.fact_interaction
SELECT source, user_id, source_artist_id, COUNT(*) AS copies
FROM core.fact_interaction
GROUP BY source, user_id, source_artist_id
HAVING COUNT(*) > 1
