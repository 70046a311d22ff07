-- Venues that the mart lacks, holds twice, or scores outside 0..100. Severity: fail. Table: marts.venue_popularity
SELECT venue.venue_id, COUNT(mart.venue_id) AS copies
FROM core.dim_venue AS venue
LEFT JOIN marts.venue_popularity AS mart
    ON mart.venue_id = venue.venue_id AND mart.popularity_score >= 0 AND mart.popularity_score <= 100
WHERE venue.is_current
GROUP BY venue.venue_id
HAVING COUNT(mart.venue_id) <> 1
