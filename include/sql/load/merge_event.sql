-- core.fact_event takes the staged rows: a new key is inserted, a known one updated when the staged row is newer.
-- Redshift's WHEN MATCHED takes no condition, so rows that may not win leave the stage first: older ones, and those
-- as
-- old as a row of another run. A run's own rows stay, so that a curation mended since replaces what it wrote.
-- created_run_id never changes. Running it again with the same rows changes nothing but loaded_at.
DELETE FROM staging.event
USING core.fact_event AS core
WHERE event.source = core.source
    AND event.event_id = core.event_id
    AND (
        core.ingested_at > event.ingested_at
        OR (core.ingested_at = event.ingested_at AND core.updated_run_id <> event.run_id)
    );

MERGE INTO core.fact_event
USING staging.event AS staged
ON fact_event.source = staged.source
    AND fact_event.event_id = staged.event_id
WHEN MATCHED THEN UPDATE SET
    name = staged.name,
    artist_id = staged.artist_id,
    artist = staged.artist,
    venue_id = staged.venue_id,
    venue = staged.venue,
    city = staged.city,
    country = staged.country,
    segment = staged.segment,
    event_date = staged.event_date,
    start_at = staged.start_at,
    timezone = staged.timezone,
    status = staged.status,
    onsale_at = staged.onsale_at,
    price_min = staged.price_min,
    price_max = staged.price_max,
    currency = staged.currency,
    ingested_at = staged.ingested_at,
    file_name = staged.file_name,
    updated_run_id = staged.run_id,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    source, event_id, name, artist_id, artist, venue_id,
    venue, city, country, segment, event_date, start_at,
    timezone, status, onsale_at, price_min, price_max, currency,
    ingested_at, file_name,
    created_run_id, updated_run_id, loaded_at
) VALUES (
    staged.source, staged.event_id, staged.name, staged.artist_id, staged.artist, staged.venue_id,
    staged.venue, staged.city, staged.country, staged.segment, staged.event_date, staged.start_at,
    staged.timezone, staged.status, staged.onsale_at, staged.price_min, staged.price_max, staged.currency,
    staged.ingested_at, staged.file_name,
    staged.run_id, staged.run_id, GETDATE()
);
