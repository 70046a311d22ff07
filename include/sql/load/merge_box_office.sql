-- core.fact_box_office takes the staged rows: a new key is inserted, a known one updated when the staged row is
-- newer.
-- Redshift's WHEN MATCHED takes no condition, so rows that may not win leave the stage first: older ones, and those
-- as
-- old as a row of another run. A run's own rows stay, so that a curation mended since replaces what it wrote.
-- created_run_id never changes. Running it again with the same rows changes nothing but loaded_at.
DELETE FROM staging.box_office
USING core.fact_box_office AS core
WHERE box_office.source = core.source
    AND box_office.report_id = core.report_id
    AND (
        core.ingested_at > box_office.ingested_at
        OR (core.ingested_at = box_office.ingested_at AND core.updated_run_id <> box_office.run_id)
    );

MERGE INTO core.fact_box_office
USING staging.box_office AS staged
ON fact_box_office.source = staged.source
    AND fact_box_office.report_id = staged.report_id
WHEN MATCHED THEN UPDATE SET
    show = staged.show,
    artist_id = staged.artist_id,
    artist = staged.artist,
    venue_id = staged.venue_id,
    venue = staged.venue,
    city = staged.city,
    country = staged.country,
    period_start = staged.period_start,
    period_end = staged.period_end,
    period_precision = staged.period_precision,
    performances = staged.performances,
    capacity = staged.capacity,
    tickets_sold = staged.tickets_sold,
    gross = staged.gross,
    currency = staged.currency,
    average_price = staged.average_price,
    top_price = staged.top_price,
    warning = staged.warning,
    ingested_at = staged.ingested_at,
    file_name = staged.file_name,
    updated_run_id = staged.run_id,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    source, report_id, show, artist_id, artist, venue_id,
    venue, city, country, period_start, period_end, period_precision,
    performances, capacity, tickets_sold, gross, currency, average_price,
    top_price, warning, ingested_at, file_name,
    created_run_id, updated_run_id, loaded_at
) VALUES (
    staged.source, staged.report_id, staged.show, staged.artist_id, staged.artist, staged.venue_id,
    staged.venue, staged.city, staged.country, staged.period_start, staged.period_end, staged.period_precision,
    staged.performances, staged.capacity, staged.tickets_sold, staged.gross, staged.currency, staged.average_price,
    staged.top_price, staged.warning, staged.ingested_at, staged.file_name,
    staged.run_id, staged.run_id, GETDATE()
);
