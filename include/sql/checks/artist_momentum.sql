-- Artists that the mart holds twice for a day, or scores outside 0..100. Severity: fail. Table: marts.artist_momentum
SELECT artist_id, as_of, COUNT(*) AS copies
FROM marts.artist_momentum
{% if run_ids %}
WHERE as_of IN (SELECT MAX(newest.as_of) FROM marts.artist_momentum AS newest)
{% endif %}
GROUP BY artist_id, as_of
HAVING COUNT(*) > 1 OR MIN(momentum_score) < 0 OR MAX(momentum_score) > 100
