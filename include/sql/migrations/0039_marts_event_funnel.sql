-- marts.event_funnel: what fans did about one concert on one day, by the steps from a look to a visit; users counted once.
-- Key (event_date, concert_id), checks/event_funnel.sql; event_date is the day of the fans' events, UTC.
-- Read by day, hence sorted by it. Source: marts/event_funnel.sql. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.event_funnel (
    event_date DATE NOT NULL,
    concert_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    venue_id VARCHAR(64),
    viewers BIGINT NOT NULL,
    interested BIGINT NOT NULL,  -- follow, like, save or share
    clickers BIGINT NOT NULL,    -- ticket_click
    attendees BIGINT NOT NULL,   -- attend
    click_rate DECIMAL(8, 4),    -- clickers / viewers; null without a viewer
    refreshed_at TIMESTAMP NOT NULL
) DISTKEY (concert_id) SORTKEY (event_date);
