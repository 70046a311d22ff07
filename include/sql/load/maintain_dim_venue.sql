-- core.dim_venue takes the venues of the staged rows: an unknown one is added, one with another name, city, country or
-- number of seats gets a new version. Runs after the merges: seats are those of the venue's latest report in core.
-- What was seen no later than the current version began renames nothing, and a late report corrects that version's
-- seats in place; so a reload changes nothing.
INSERT INTO staging.venue (venue_id, name, city, country, seats, seen_at)
WITH named AS (
    SELECT
        venue_id, venue, city, country, ingested_at,
        ROW_NUMBER() OVER (PARTITION BY venue_id ORDER BY ingested_at DESC, venue, city, country) AS _rank
    FROM (
        SELECT venue_id, venue, city, country, ingested_at FROM staging.event
        UNION ALL
        SELECT venue_id, venue, city, country, ingested_at FROM staging.box_office
    ) AS staged
    WHERE venue_id IS NOT NULL AND venue IS NOT NULL
),

sized AS (
    SELECT
        venue_id,
        CAST(ROUND(CAST(capacity AS DOUBLE PRECISION) / performances) AS BIGINT) AS seats,
        ROW_NUMBER() OVER (
            PARTITION BY venue_id ORDER BY period_end DESC NULLS LAST, ingested_at DESC, source, report_id
        ) AS _rank
    FROM core.fact_box_office
    WHERE capacity > 0 AND performances > 0
)

SELECT named.venue_id, named.venue, named.city, named.country, sized.seats, named.ingested_at
FROM named
LEFT JOIN sized ON sized.venue_id = named.venue_id AND sized._rank = 1
WHERE named._rank = 1;

UPDATE staging.venue
SET name = known.name, city = known.city, country = known.country
FROM core.dim_venue AS known
WHERE venue.venue_id = known.venue_id AND known.is_current AND venue.seen_at <= known.valid_from;

UPDATE core.dim_venue
SET seats = late.seats
FROM staging.venue AS late
WHERE dim_venue.venue_id = late.venue_id AND dim_venue.is_current AND late.seen_at <= dim_venue.valid_from;

DELETE FROM staging.venue
USING core.dim_venue AS known
WHERE venue.venue_id = known.venue_id
    AND known.is_current
    AND known.name = venue.name
    AND NVL(known.city, '') = NVL(venue.city, '')
    AND NVL(known.country, '') = NVL(venue.country, '')
    AND NVL(known.seats, 0) = NVL(venue.seats, 0);

UPDATE core.dim_venue
SET valid_to = changed.seen_at, is_current = FALSE
FROM staging.venue AS changed
WHERE dim_venue.venue_id = changed.venue_id AND dim_venue.is_current;

INSERT INTO core.dim_venue (venue_id, name, city, country, seats, valid_from, valid_to, is_current)
SELECT venue_id, name, city, country, seats, seen_at, NULL, TRUE
FROM staging.venue;
