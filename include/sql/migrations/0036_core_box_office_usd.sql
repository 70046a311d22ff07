-- core.box_office_usd: one dated box-office report with its gross in US dollars, at the average rate of the year in which
-- its period ended; null where that year's rate is not known, so that no figure is made up.
-- A view, so that a rate that is added later counts for what is loaded already.
-- Reads core.fact_box_office, core.currency_rate. Key (source, report_id). Owner: analytics.
CREATE OR REPLACE VIEW core.box_office_usd AS
SELECT
    report.source, report.report_id, report.venue_id, report.artist_id, report.period_start, report.period_end,
    report.performances, report.capacity, report.tickets_sold, report.gross, report.currency,
    CAST(
        CASE
            WHEN report.currency = 'USD' THEN report.gross
            WHEN rate.quoted = 'usd a unit' THEN report.gross * rate.rate
            WHEN rate.quoted = 'units a usd' THEN report.gross / rate.rate
        END
    AS DECIMAL(18, 2)) AS gross_usd,
    report.updated_run_id
FROM core.fact_box_office AS report
LEFT JOIN core.currency_rate AS rate
    ON rate.currency = report.currency AND rate.year = CAST(EXTRACT(YEAR FROM report.period_end) AS INTEGER)
WHERE report.period_start IS NOT NULL AND report.period_end IS NOT NULL;
