-- Dated box-office reports, what the sales model learns from. Reads core.fact_box_office. One row per report.
-- A tour's total has no dates and stays out of time-ordered training.
SELECT
    source, report_id, NVL(artist_id, '') AS artist_id, NVL(venue_id, '') AS venue_id, NVL(city, '') AS city,
    period_start, period_end, performances, capacity, tickets_sold
FROM core.fact_box_office
WHERE period_precision = 'day'
