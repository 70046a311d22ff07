-- Venues that are analysed twice. Severity: fail. Table: ml.venue_analysis
SELECT venue_id, COUNT(*) AS copies
FROM ml.venue_analysis
GROUP BY venue_id
HAVING COUNT(*) > 1
