-- staging.event: one event of one curated partition, as its Parquet files have it (columns in that order).
-- Key (source, event_id). Source: load/copy_event.sql. Emptied and filled by each load. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.event (
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
    run_id VARCHAR(128) NOT NULL
) DISTKEY (venue_id);
