-- Dated box-office reports, what the sales model learns from. Reads core.fact_box_office. One row per report.
-- Values: as_of. A report is known once its period has ended: those that end after as_of stay out.
-- A tour's total has no dates and stays out of time-ordered training.
SELECT
    source, report_id, NVL(artist_id, '') AS artist_id, NVL(venue_id, '') AS venue_id, NVL(city, '') AS city,
    period_start, period_end, performances, capacity, tickets_sold, gross, currency
FROM core.fact_box_office
WHERE period_precision = 'day' AND period_end <= {{ as_of | sql_date }}
