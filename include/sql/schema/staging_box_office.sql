-- staging.box_office: one box-office report of one curated partition, as its Parquet files have it (columns in that
-- order).
-- Key (source, report_id). Source: load/copy_box_office.sql. Emptied and filled by each load. Owner: data-platform.
-- capacity and tickets_sold cover the whole period, not one night.
CREATE TABLE IF NOT EXISTS staging.box_office (
    source VARCHAR(128) NOT NULL,
    report_id VARCHAR(256) NOT NULL,
    show VARCHAR(4096),
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    venue_id VARCHAR(64),
    venue VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    period_start DATE,
    period_end DATE,
    period_precision VARCHAR(16),
    performances INTEGER,
    capacity BIGINT,
    tickets_sold BIGINT,
    gross DECIMAL(14, 2),
    currency VARCHAR(16),
    average_price DECIMAL(12, 2),
    top_price DECIMAL(12, 2),
    warning VARCHAR(4096),
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (venue_id);
