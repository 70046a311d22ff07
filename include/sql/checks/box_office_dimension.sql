-- Box-office reports whose artist, venue or dates are in no dimension. Severity: fail. Table: core.fact_box_office. Runs: updated_run_id
SELECT report.source, report.report_id
FROM core.fact_box_office AS report
LEFT JOIN core.dim_artist AS artist ON artist.artist_id = report.artist_id AND artist.is_current
LEFT JOIN core.dim_venue AS venue ON venue.venue_id = report.venue_id AND venue.is_current
LEFT JOIN core.dim_date AS first_day ON first_day.calendar_date = report.period_start
LEFT JOIN core.dim_date AS last_day ON last_day.calendar_date = report.period_end
WHERE (
        (report.artist_id IS NOT NULL AND artist.artist_id IS NULL)
        OR (report.venue_id IS NOT NULL AND venue.venue_id IS NULL)
        OR (report.period_start IS NOT NULL AND first_day.calendar_date IS NULL)
        OR (report.period_end IS NOT NULL AND last_day.calendar_date IS NULL)
    )
    {% if run_ids %}
    AND report.updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
