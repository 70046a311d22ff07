-- core.fact_fan_event: one interaction of a fan with an artist or a concert, as the stream delivered it.
-- Key event_id, checks/fan_event_duplicate.sql: whatever is repeated on the way counts once.
-- Distributed by concert, by which the funnel counts; sorted by the day, which never changes, and the key.
-- Source: load_stream. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_fan_event (
    event_id VARCHAR(128) NOT NULL,
    schema_version INTEGER,
    type VARCHAR(64) NOT NULL,
    user_id VARCHAR(128),
    artist_id VARCHAR(128),
    concert_id VARCHAR(256),
    occurred_at TIMESTAMP NOT NULL,
    event_date DATE NOT NULL,  -- of occurred_at, UTC
    source VARCHAR(128),
    properties VARCHAR(65535),
    received_at TIMESTAMP,
    object_name VARCHAR(2048),
    load_run_id VARCHAR(128),
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (concert_id) SORTKEY (event_date, event_id, loaded_at);
