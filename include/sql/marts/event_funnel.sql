-- marts.event_funnel: one row per day and concert that fans did something about. Owner: analytics.
-- Replaces the days of which events have come in since the last refresh, and an hour before it, since a load that was
-- under way then may have committed later. Concerts whose events the loaded runs have written take artist and venue of them,
-- on every day: what fans did may have come in long before the event was listed. Running it again gives the same rows.
-- Reads core.fact_fan_event, core.fact_event. Checks: checks/event_funnel.sql, checks/event_funnel_listing.sql.
-- Values: run_ids, is_whole.
CREATE TEMPORARY TABLE funnel_day AS
SELECT DISTINCT event_date
FROM core.fact_fan_event
WHERE loaded_at >= (
        SELECT NVL(DATEADD(hour, -1, MAX(funnel.refreshed_at)), TIMESTAMP '1900-01-01 00:00:00')
        FROM marts.event_funnel AS funnel
    );

DELETE FROM marts.event_funnel WHERE event_date IN (SELECT funnel_day.event_date FROM funnel_day);

INSERT INTO marts.event_funnel (
    event_date, concert_id, artist_id, venue_id, viewers, interested, clickers, attendees, click_rate, refreshed_at
)
WITH counted AS (
    SELECT
        fan.event_date, fan.concert_id,
        COUNT(DISTINCT CASE WHEN fan.type = 'view' THEN fan.user_id END) AS viewers,
        COUNT(DISTINCT CASE WHEN fan.type IN ('follow', 'like', 'save', 'share') THEN fan.user_id END) AS interested,
        COUNT(DISTINCT CASE WHEN fan.type = 'ticket_click' THEN fan.user_id END) AS clickers,
        COUNT(DISTINCT CASE WHEN fan.type = 'attend' THEN fan.user_id END) AS attendees
    FROM core.fact_fan_event AS fan
    WHERE fan.event_date IN (SELECT funnel_day.event_date FROM funnel_day)
        AND fan.concert_id IS NOT NULL
        AND fan.user_id IS NOT NULL
        AND fan.type IN ('view', 'follow', 'like', 'save', 'share', 'ticket_click', 'attend')
    GROUP BY fan.event_date, fan.concert_id
),

listed AS (
    SELECT
        event_id, artist_id, venue_id,
        ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY ingested_at DESC, source ASC) AS _rank
    FROM core.fact_event
    WHERE event_id IN (SELECT counted.concert_id FROM counted)
)

SELECT
    counted.event_date, counted.concert_id, listed.artist_id, listed.venue_id, counted.viewers, counted.interested,
    counted.clickers, counted.attendees,
    CAST(CAST(counted.clickers AS DOUBLE PRECISION) / NULLIF(counted.viewers, 0) AS DECIMAL(8, 4)), GETDATE()
FROM counted
LEFT JOIN listed ON listed.event_id = counted.concert_id AND listed._rank = 1;

CREATE TEMPORARY TABLE listed_anew AS
SELECT shown.concert_id, listed.artist_id, listed.venue_id
FROM (
    SELECT DISTINCT concert_id
    FROM marts.event_funnel
    {% if not is_whole %}
    WHERE concert_id IN (
        SELECT written.event_id FROM core.fact_event AS written
        WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
    )
    {% endif %}
) AS shown
LEFT JOIN (
    SELECT
        event_id, artist_id, venue_id,
        ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY ingested_at DESC, source ASC) AS _rank
    FROM core.fact_event
    WHERE event_id IN (SELECT funnel.concert_id FROM marts.event_funnel AS funnel)
) AS listed
    ON listed.event_id = shown.concert_id AND listed._rank = 1;

UPDATE marts.event_funnel
SET artist_id = listed_anew.artist_id, venue_id = listed_anew.venue_id
FROM listed_anew
WHERE event_funnel.concert_id = listed_anew.concert_id
    AND (
        NVL(event_funnel.artist_id, '') <> NVL(listed_anew.artist_id, '')
        OR NVL(event_funnel.venue_id, '') <> NVL(listed_anew.venue_id, '')
    );
