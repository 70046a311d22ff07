-- Setlists whose artist, venue or date is in no dimension. Severity: fail. Table: core.fact_setlist. Runs: updated_run_id
SELECT DISTINCT song.source, song.setlist_id
FROM core.fact_setlist AS song
LEFT JOIN core.dim_artist AS artist ON artist.artist_id = song.artist_id AND artist.is_current
LEFT JOIN core.dim_venue AS venue ON venue.venue_id = song.venue_id AND venue.is_current
LEFT JOIN core.dim_date AS day ON day.calendar_date = song.event_date
WHERE (
        (song.artist_id IS NOT NULL AND artist.artist_id IS NULL)
        OR (song.venue_id IS NOT NULL AND venue.venue_id IS NULL)
        OR (song.event_date IS NOT NULL AND day.calendar_date IS NULL)
    )
    {% if run_ids %}
    AND song.updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
