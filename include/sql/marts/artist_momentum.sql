-- marts.artist_momentum: one row per artist and day as_of, of artists about whom something is known. Owner: analytics.
-- Replaces one as_of; running it again gives the same rows.
-- Reads core.dim_artist, core.fact_event, core.fact_setlist, core.fact_fan_event. Checks: checks/artist_momentum.sql.
-- Values: as_of.
--
-- momentum_score, 0..100 = 50 x fans + 30 x shows + 20 x outlook, each a PERCENT_RANK over the artists (0..1)
--     fans      by (users of the last 28 days + 1) / (users of the 28 days before + 1)
--     shows     by the same of days with a show
--     outlook   by events within the next 180 days
DELETE FROM marts.artist_momentum WHERE as_of = {{ as_of | sql_date }};

INSERT INTO marts.artist_momentum (
    artist_id, as_of, name, upcoming_events, shows, shows_before, fans, fans_before, popularity, followers,
    momentum_score, momentum_rank, refreshed_at
)
WITH clock AS (
    SELECT CAST({{ as_of | sql_date }} AS DATE) AS as_of
),

played AS (
    SELECT DISTINCT artist_id, event_date
    FROM (
        SELECT artist_id, event_date
        FROM core.fact_event
        WHERE event_date > DATEADD(day, -56, {{ as_of | sql_date }}) AND event_date <= {{ as_of | sql_date }}
        UNION ALL
        SELECT artist_id, event_date
        FROM core.fact_setlist
        WHERE event_date > DATEADD(day, -56, {{ as_of | sql_date }}) AND event_date <= {{ as_of | sql_date }}
    ) AS shown
),

shows AS (
    SELECT
        played.artist_id,
        SUM(CASE WHEN played.event_date > DATEADD(day, -28, clock.as_of) THEN 1 ELSE 0 END) AS shows,
        SUM(CASE WHEN played.event_date > DATEADD(day, -28, clock.as_of) THEN 0 ELSE 1 END) AS shows_before
    FROM played
    CROSS JOIN clock
    GROUP BY played.artist_id
),

upcoming AS (
    SELECT artist_id, COUNT(*) AS events
    FROM core.fact_event
    WHERE event_date > {{ as_of | sql_date }} AND event_date <= DATEADD(day, 180, {{ as_of | sql_date }})
    GROUP BY artist_id
),

fans AS (
    SELECT
        fan.artist_id,
        COUNT(DISTINCT CASE WHEN fan.event_date > DATEADD(day, -28, clock.as_of) THEN fan.user_id END) AS fans,
        COUNT(DISTINCT CASE WHEN fan.event_date > DATEADD(day, -28, clock.as_of) THEN NULL ELSE fan.user_id END)
            AS fans_before
    FROM core.fact_fan_event AS fan
    CROSS JOIN clock
    WHERE fan.event_date > DATEADD(day, -56, {{ as_of | sql_date }})
        AND fan.event_date <= {{ as_of | sql_date }}
        AND fan.artist_id IS NOT NULL
    GROUP BY fan.artist_id
),

measured AS (
    SELECT
        artist.artist_id, artist.name, artist.popularity, artist.followers,
        NVL(upcoming.events, 0) AS upcoming_events,
        NVL(shows.shows, 0) AS shows,
        NVL(shows.shows_before, 0) AS shows_before,
        NVL(fans.fans, 0) AS fans,
        NVL(fans.fans_before, 0) AS fans_before
    FROM core.dim_artist AS artist
    LEFT JOIN upcoming ON upcoming.artist_id = artist.artist_id
    LEFT JOIN shows ON shows.artist_id = artist.artist_id
    LEFT JOIN fans ON fans.artist_id = artist.artist_id
    WHERE artist.is_current
        AND (upcoming.events > 0 OR shows.artist_id IS NOT NULL OR fans.artist_id IS NOT NULL)
),

scored AS (
    SELECT
        *,
        CAST(
            50 * PERCENT_RANK() OVER (ORDER BY CAST(fans + 1 AS DOUBLE PRECISION) / (fans_before + 1))
            + 30 * PERCENT_RANK() OVER (ORDER BY CAST(shows + 1 AS DOUBLE PRECISION) / (shows_before + 1))
            + 20 * PERCENT_RANK() OVER (ORDER BY upcoming_events)
        AS DECIMAL(6, 2)) AS momentum_score
    FROM measured
)

SELECT
    artist_id, CAST({{ as_of | sql_date }} AS DATE), name, upcoming_events, shows, shows_before, fans, fans_before,
    popularity, followers, momentum_score, ROW_NUMBER() OVER (ORDER BY momentum_score DESC, artist_id ASC), GETDATE()
FROM scored;
