-- core.dim_venue takes the venues that the run has written, as core.dim_artist takes artists: records first, a fact alone
-- makes an inferred member that the first record completes in place, other changes are new versions (type 2).
-- seats are those of the report with the latest last day, the newest of them; reports of a tour, without a day, come last.
-- Coordinates come together from one record. What was seen no later than the current version began renames nothing and
-- corrects that version in place; so a reload changes nothing.
-- A venue that has lost a record is made of those that are left; without any it is an inferred member again, in place, and
-- keeps name, place and seats: facts may still name it.
-- Reads core.venue_record and the facts. Values: run_id.
CREATE TEMPORARY TABLE bereft_venue AS
SELECT known.venue_id, MAX(record.venue_id) AS recorded_id
FROM core.dim_venue AS known
LEFT JOIN core.venue_record AS record ON record.venue_id = known.venue_id AND record.name IS NOT NULL
WHERE known.is_current AND NOT known.is_inferred
GROUP BY known.venue_id
HAVING MAX(CASE WHEN record.name = known.name THEN 1 ELSE 0 END) = 0
    OR (
        MAX(known.latitude) IS NOT NULL
        AND MAX(CASE WHEN record.latitude = known.latitude AND record.longitude = known.longitude THEN 1 ELSE 0 END) = 0
    );

UPDATE core.dim_venue
SET latitude = NULL,
    longitude = NULL,
    timezone = NULL,
    is_inferred = TRUE
FROM bereft_venue AS bereft
WHERE dim_venue.venue_id = bereft.venue_id AND dim_venue.is_current AND bereft.recorded_id IS NULL;

CREATE TEMPORARY TABLE recorded_venue AS
SELECT
    venue_id, MAX(CASE WHEN _rank = 1 THEN name END) AS name,
    NVL(MAX(CASE WHEN _rank = 1 THEN city END), MAX(city)) AS city,
    NVL(MAX(CASE WHEN _rank = 1 THEN country END), MAX(country)) AS country,
    MAX(CASE WHEN _place_rank = 1 THEN latitude END) AS latitude,
    MAX(CASE WHEN _place_rank = 1 THEN longitude END) AS longitude,
    NVL(MAX(CASE WHEN _rank = 1 THEN timezone END), MAX(timezone)) AS timezone,
    MAX(ingested_at) AS seen_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY venue_id ORDER BY source DESC, ingested_at DESC, source_venue_id ASC) AS _rank,
        ROW_NUMBER() OVER (
            PARTITION BY venue_id
            ORDER BY
                CASE WHEN latitude IS NULL OR longitude IS NULL THEN 1 ELSE 0 END ASC,
                source DESC, ingested_at DESC, source_venue_id ASC
        ) AS _place_rank
    FROM core.venue_record
    WHERE name IS NOT NULL
        AND venue_id IN (
            SELECT written.venue_id FROM core.venue_record AS written
            WHERE written.updated_run_id = {{ run_id | sql_slug }}
            UNION
            SELECT bereft.venue_id FROM bereft_venue AS bereft
        )
) AS ranked
GROUP BY venue_id;

CREATE TEMPORARY TABLE written_venue AS
WITH named AS (
    SELECT
        venue_id, venue, city, country, ingested_at,
        ROW_NUMBER() OVER (PARTITION BY venue_id ORDER BY ingested_at DESC, venue ASC, city ASC, country ASC) AS _rank
    FROM (
        SELECT venue_id, venue, city, country, ingested_at
        FROM core.fact_event
        WHERE updated_run_id = {{ run_id | sql_slug }}
        UNION ALL
        SELECT venue_id, venue, city, country, ingested_at
        FROM core.fact_box_office
        WHERE updated_run_id = {{ run_id | sql_slug }}
        UNION ALL
        SELECT venue_id, venue, city, country, ingested_at
        FROM core.fact_setlist
        WHERE updated_run_id = {{ run_id | sql_slug }}
    ) AS written
    WHERE venue_id IS NOT NULL AND venue IS NOT NULL
),

sized AS (
    SELECT
        venue_id, period_end, ingested_at,
        CAST(ROUND(CAST(capacity AS DOUBLE PRECISION) / performances) AS BIGINT) AS seats,
        ROW_NUMBER() OVER (
            PARTITION BY venue_id ORDER BY period_end DESC NULLS LAST, ingested_at DESC, source ASC, report_id ASC
        ) AS _rank
    FROM core.fact_box_office
    WHERE updated_run_id = {{ run_id | sql_slug }} AND capacity > 0 AND performances > 0
),

touched AS (
    SELECT venue_id FROM named WHERE _rank = 1
    UNION
    SELECT venue_id FROM recorded_venue
),

compared AS (
    SELECT
        touched.venue_id, recorded.venue_id AS recorded_id, known.venue_id AS known_id, known.is_inferred,
        NVL(recorded.seen_at, named.ingested_at) AS recorded_at,
        NVL(named.ingested_at, recorded.seen_at) AS named_at,
        -- What a fact says counts for an unknown venue, and for an inferred one that it names later.
        recorded.venue_id IS NULL
        AND (known.venue_id IS NULL OR (known.is_inferred AND named.ingested_at > known.valid_from)) AS is_named_anew,
        named.venue AS named_name, named.city AS named_city, named.country AS named_country,
        recorded.name AS recorded_name, recorded.city AS recorded_city, recorded.country AS recorded_country,
        known.name AS known_name, known.city AS known_city, known.country AS known_country,
        CASE WHEN recorded.venue_id IS NOT NULL THEN recorded.latitude ELSE known.latitude END AS latitude,
        CASE WHEN recorded.venue_id IS NOT NULL THEN recorded.longitude ELSE known.longitude END AS longitude,
        CASE WHEN recorded.venue_id IS NOT NULL THEN recorded.timezone ELSE known.timezone END AS timezone,
        sized.seats IS NOT NULL
        AND (
            NVL(sized.period_end, DATE '1900-01-01') > NVL(known.seats_as_of, DATE '1900-01-01')
            OR (
                NVL(sized.period_end, DATE '1900-01-01') = NVL(known.seats_as_of, DATE '1900-01-01')
                AND sized.ingested_at >= NVL(known.seats_seen_at, TIMESTAMP '1900-01-01 00:00:00')
            )
        ) AS is_sized_anew,
        sized.seats AS sized_seats, sized.period_end, sized.ingested_at AS sized_at,
        known.seats AS known_seats, known.seats_as_of, known.seats_seen_at
    FROM touched
    LEFT JOIN named ON named.venue_id = touched.venue_id AND named._rank = 1
    LEFT JOIN recorded_venue AS recorded ON recorded.venue_id = touched.venue_id
    LEFT JOIN sized ON sized.venue_id = touched.venue_id AND sized._rank = 1
    LEFT JOIN core.dim_venue AS known ON known.venue_id = touched.venue_id AND known.is_current
)

SELECT
    venue_id,
    CASE WHEN recorded_id IS NOT NULL THEN recorded_name WHEN is_named_anew THEN named_name ELSE known_name END AS name,
    CASE WHEN recorded_id IS NOT NULL THEN recorded_city WHEN is_named_anew THEN named_city ELSE known_city END AS city,
    CASE
        WHEN recorded_id IS NOT NULL THEN recorded_country WHEN is_named_anew THEN named_country ELSE known_country
    END AS country,
    latitude, longitude, timezone,
    CASE WHEN is_sized_anew THEN sized_seats ELSE known_seats END AS seats,
    CASE WHEN is_sized_anew THEN period_end ELSE seats_as_of END AS seats_as_of,
    CASE WHEN is_sized_anew THEN sized_at ELSE seats_seen_at END AS seats_seen_at,
    CASE WHEN recorded_at > named_at THEN recorded_at ELSE named_at END AS seen_at,
    recorded_id IS NULL AND NVL(is_inferred, TRUE) AS is_inferred
FROM compared;

UPDATE core.dim_venue
SET name = written.name,
    city = written.city,
    country = written.country,
    latitude = written.latitude,
    longitude = written.longitude,
    timezone = written.timezone,
    seats = written.seats,
    is_inferred = written.is_inferred
FROM written_venue AS written
WHERE dim_venue.venue_id = written.venue_id
    AND dim_venue.is_current
    AND ((dim_venue.is_inferred AND NOT written.is_inferred) OR written.seen_at <= dim_venue.valid_from);

UPDATE core.dim_venue
SET seats_as_of = written.seats_as_of,
    seats_seen_at = written.seats_seen_at
FROM written_venue AS written
WHERE dim_venue.venue_id = written.venue_id
    AND dim_venue.is_current
    AND NVL(dim_venue.seats, 0) = NVL(written.seats, 0);

DELETE FROM written_venue
USING core.dim_venue AS known
WHERE written_venue.venue_id = known.venue_id
    AND known.is_current
    AND known.name = written_venue.name
    AND NVL(known.city, '') = NVL(written_venue.city, '')
    AND NVL(known.country, '') = NVL(written_venue.country, '')
    AND NVL(known.timezone, '') = NVL(written_venue.timezone, '')
    AND NVL(known.latitude, 999) = NVL(written_venue.latitude, 999)
    AND NVL(known.longitude, 999) = NVL(written_venue.longitude, 999)
    AND NVL(known.seats, 0) = NVL(written_venue.seats, 0);

UPDATE core.dim_venue
SET valid_to = changed.seen_at, is_current = FALSE
FROM written_venue AS changed
WHERE dim_venue.venue_id = changed.venue_id AND dim_venue.is_current;

INSERT INTO core.dim_venue (
    venue_id, name, city, country, latitude, longitude, timezone, seats, seats_as_of, seats_seen_at,
    is_inferred, valid_from, valid_to, is_current
)
SELECT
    venue_id, name, city, country, latitude, longitude, timezone, seats, seats_as_of, seats_seen_at,
    is_inferred, seen_at, NULL, TRUE
FROM written_venue;
