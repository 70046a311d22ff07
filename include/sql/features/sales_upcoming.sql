-- Events to forecast, one row each, after the day as_of. Reads core.fact_event, core.dim_venue. Values: as_of.
-- A venue without reports is assumed to have the median seats of its city, else of the venues that had events
-- of its type (segment), else of all venues; capacity_basis says which.
-- An event that lacks an act, a venue or a city gets an empty one, which matches no report.
WITH sized AS (
    SELECT venue_id, city, seats FROM core.dim_venue WHERE is_current AND seats > 0
),

city_size AS (
    SELECT city, MEDIAN(seats) AS seats FROM sized GROUP BY city
),

type_size AS (
    SELECT segment, MEDIAN(seats) AS seats
    FROM (
        SELECT DISTINCT event.segment, sized.venue_id, sized.seats
        FROM core.fact_event AS event
        INNER JOIN sized ON sized.venue_id = event.venue_id
        WHERE event.segment IS NOT NULL
    ) AS typical
    GROUP BY segment
),

any_size AS (
    SELECT MEDIAN(seats) AS seats FROM sized
)

SELECT
    event.event_id AS concert_id,
    NVL(event.artist_id, '') AS artist_id,
    NVL(event.venue_id, '') AS venue_id,
    NVL(event.city, '') AS city,
    event.event_date AS period_start,
    event.event_date AS period_end,
    1 AS performances,
    CAST(ROUND(COALESCE(sized.seats, city_size.seats, type_size.seats, any_size.seats)) AS BIGINT) AS capacity,
    CASE
        WHEN sized.seats IS NOT NULL THEN 'venue'
        WHEN city_size.seats IS NOT NULL THEN 'assumed from city'
        WHEN type_size.seats IS NOT NULL THEN 'assumed from type'
        ELSE 'assumed from all venues'
    END AS capacity_basis,
    event.price_min AS min_price,
    event.price_max AS max_price,
    event.currency
FROM core.fact_event AS event
LEFT JOIN sized ON sized.venue_id = event.venue_id
LEFT JOIN city_size ON city_size.city = event.city
LEFT JOIN type_size ON type_size.segment = event.segment
CROSS JOIN any_size
WHERE event.event_date > {{ as_of | sql_date }}
