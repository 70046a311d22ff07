-- Events whose artist, venue or date is in no dimension. Severity: fail. Table: core.fact_event. Runs: updated_run_id
SELECT event.source, event.event_id
FROM core.fact_event AS event
LEFT JOIN core.dim_artist AS artist ON artist.artist_id = event.artist_id AND artist.is_current
LEFT JOIN core.dim_venue AS venue ON venue.venue_id = event.venue_id AND venue.is_current
LEFT JOIN core.dim_date AS day ON day.calendar_date = event.event_date
WHERE (
        (event.artist_id IS NOT NULL AND artist.artist_id IS NULL)
        OR (event.venue_id IS NOT NULL AND venue.venue_id IS NULL)
        OR (event.event_date IS NOT NULL AND day.calendar_date IS NULL)
    )
    {% if run_ids %}
    AND event.updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
