-- Box-office reports of known venues, what the venue model describes. Reads core.fact_box_office. One row per report.
-- Values: as_of. Reports that end after as_of stay out; a tour's total has no dates and stays in: it took place before
-- it was reported.
SELECT
    source, report_id, venue_id, venue, city, country, show, artist, period_start, period_end, performances, capacity,
    tickets_sold, gross, currency
FROM core.fact_box_office
WHERE venue_id IS NOT NULL AND (period_end IS NULL OR period_end <= {{ as_of | sql_date }})
