-- core.dim_venue: seats_seen_at is the ingested_at of the report that seats come from; among reports of one last day, and
-- among those without a day, the newest one counts, in whichever order they are loaded. For venues that are there already
-- it is that of the newest report in core with their last day and seats; null where there is none, and the next one counts.
-- Owner: data-platform.
ALTER TABLE core.dim_venue ADD COLUMN seats_seen_at TIMESTAMP;

UPDATE core.dim_venue
SET seats_seen_at = sized.seen_at
FROM (
        SELECT
            venue_id, NVL(period_end, DATE '1900-01-01') AS last_day,
            CAST(ROUND(CAST(capacity AS DOUBLE PRECISION) / performances) AS BIGINT) AS seats,
            MAX(ingested_at) AS seen_at
        FROM core.fact_box_office
        WHERE capacity > 0 AND performances > 0
        GROUP BY 1, 2, 3
    ) AS sized
WHERE dim_venue.venue_id = sized.venue_id
    AND dim_venue.seats = sized.seats
    AND NVL(dim_venue.seats_as_of, DATE '1900-01-01') = sized.last_day;
