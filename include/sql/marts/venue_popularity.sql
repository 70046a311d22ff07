-- marts.venue_popularity: one row per venue. Owner: analytics. Replaced as a whole; running it again gives the same
-- rows.
-- Reads core.dim_venue, core.fact_event, marts.venue_sales. Checks: checks/venue_popularity.sql. Values: as_of.
--
-- popularity_score, 0..100 = 50 x demand + 30 x utilisation + 20 x outlook
--     demand       share of venues that sell fewer tickets a performance (PERCENT_RANK, 0..1; 0 without reports)
--     utilisation  tickets sold / capacity of all reports, at most 1 (0 without reports)
--     outlook      share of venues that have fewer upcoming events (PERCENT_RANK, 0..1)
-- Upcoming is what lies after the day of the partition that was loaded last (its as_of), not after today: whoever loads
-- an earlier day again sees the mart as of that day.
DELETE FROM marts.venue_popularity;

INSERT INTO marts.venue_popularity (
    venue_id, name, city, country, seats, upcoming_events, reports, performances, capacity, tickets_sold,
    utilisation, gross, currency, popularity_score, popularity_rank, as_of, refreshed_at
)
WITH clock AS (
    SELECT CAST({{ as_of | sql_date }} AS DATE) AS as_of
),

upcoming AS (
    SELECT event.venue_id, COUNT(*) AS events
    FROM core.fact_event AS event
    CROSS JOIN clock
    WHERE event.event_date > clock.as_of
    GROUP BY event.venue_id
),

sales AS (
    SELECT
        venue_id, SUM(reports) AS reports, SUM(performances) AS performances, SUM(capacity) AS capacity,
        SUM(tickets_sold) AS tickets_sold
    FROM marts.venue_sales
    GROUP BY venue_id
),

money AS (
    SELECT
        venue_id, currency, SUM(gross) AS gross,
        ROW_NUMBER() OVER (PARTITION BY venue_id ORDER BY SUM(reports) DESC, currency) AS _rank
    FROM marts.venue_sales
    WHERE currency <> ''
    GROUP BY venue_id, currency
),

measured AS (
    SELECT
        venue.venue_id, venue.name, venue.city, venue.country, venue.seats,
        NVL(upcoming.events, 0) AS upcoming_events,
        NVL(sales.reports, 0) AS reports,
        NVL(sales.performances, 0) AS performances,
        NVL(sales.capacity, 0) AS capacity,
        NVL(sales.tickets_sold, 0) AS tickets_sold,
        CAST(sales.tickets_sold AS DOUBLE PRECISION) / NULLIF(sales.capacity, 0) AS utilisation,
        NVL(CAST(sales.tickets_sold AS DOUBLE PRECISION) / NULLIF(sales.performances, 0), 0) AS tickets_a_performance,
        money.gross, money.currency
    FROM core.dim_venue AS venue
    LEFT JOIN upcoming ON upcoming.venue_id = venue.venue_id
    LEFT JOIN sales ON sales.venue_id = venue.venue_id
    LEFT JOIN money ON money.venue_id = venue.venue_id AND money._rank = 1
    WHERE venue.is_current
),

scored AS (
    SELECT
        *,
        CAST(
            50 * PERCENT_RANK() OVER (ORDER BY tickets_a_performance)
            + 30 * LEAST(NVL(utilisation, 0), 1)
            + 20 * PERCENT_RANK() OVER (ORDER BY upcoming_events)
        AS DECIMAL(6, 2)) AS popularity_score
    FROM measured
)

SELECT
    scored.venue_id, scored.name, scored.city, scored.country, scored.seats, scored.upcoming_events, scored.reports,
    scored.performances, scored.capacity, scored.tickets_sold, CAST(scored.utilisation AS DECIMAL(8, 4)),
    scored.gross, scored.currency, scored.popularity_score,
    ROW_NUMBER() OVER (ORDER BY scored.popularity_score DESC, scored.venue_id ASC),
    clock.as_of, GETDATE()
FROM scored
CROSS JOIN clock;
