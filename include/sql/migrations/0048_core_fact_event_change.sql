-- core.fact_event_change: one change of a listed event that a connector saw between two fetches; properties is JSON text
-- with the old and the new values.
-- Key event_id, checks/event_change_duplicate.sql: whatever is repeated on the way counts once.
-- Distributed by concert, by which it joins events; sorted by the day, which never changes, and the key.
-- Source: load_stream. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_event_change (
    event_id VARCHAR(128) NOT NULL,
    schema_version INTEGER,
    type VARCHAR(64) NOT NULL,  -- event_listed | price_changed | status_changed | rescheduled
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
