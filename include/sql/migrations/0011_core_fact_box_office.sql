-- core.fact_box_office: one box-office report; capacity and tickets_sold cover all performances of the period.
-- period_precision 'tour' has no dates; currency is that of gross and prices.
-- Key (source, report_id), checks/box_office_duplicate.sql.
-- Distributed by venue, by which marts and dimensions join. The sort key holds what loads, marts and checks filter by:
-- the day, the key, and the runs.
-- The key is checked, not declared: Redshift would trust it without enforcing it.
-- Source: curated reports by load/box_office.sql; the newest ingested_at wins. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_box_office (
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
    created_run_id VARCHAR(128) NOT NULL,  -- ingest run that brought the key; never changes, loads are counted by it
    updated_run_id VARCHAR(128) NOT NULL,  -- ingest run whose values stand here
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (venue_id) SORTKEY (period_end, report_id, created_run_id, updated_run_id);
