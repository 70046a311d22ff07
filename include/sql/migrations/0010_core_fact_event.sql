-- core.fact_event: one event of one source after identity resolution; currency is that of both prices.
-- Key (source, event_id), checks/event_duplicate.sql.
-- Distributed by venue, by which marts and dimensions join. The sort key holds what loads, marts and checks filter by:
-- the day, the key, and the runs.
-- The key is checked, not declared: Redshift would trust it without enforcing it.
-- Source: curated events by load/event.sql; the newest ingested_at wins. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_event (
    source VARCHAR(128) NOT NULL,
    event_id VARCHAR(256) NOT NULL,
    name VARCHAR(4096),
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    venue_id VARCHAR(64),
    venue VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    segment VARCHAR(512),
    event_date DATE,
    start_at TIMESTAMP,
    timezone VARCHAR(128),
    status VARCHAR(128),
    onsale_at TIMESTAMP,
    price_min DECIMAL(12, 2),
    price_max DECIMAL(12, 2),
    currency VARCHAR(16),
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    created_run_id VARCHAR(128) NOT NULL,  -- ingest run that brought the key; never changes, loads are counted by it
    updated_run_id VARCHAR(128) NOT NULL,  -- ingest run whose values stand here
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (venue_id) SORTKEY (event_date, event_id, created_run_id, updated_run_id);
