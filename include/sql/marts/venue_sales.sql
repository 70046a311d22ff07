-- marts.venue_sales: one row per venue, month and currency. Owner: analytics. Replaces the months in which reports of the
-- loaded runs ended; all of them when a run was loaded again. Running it again gives the same rows.
-- Reads core.fact_box_office. Checks: checks/venue_popularity.sql. Values: run_ids, is_whole.
CREATE TEMPORARY TABLE sales_month AS
SELECT DISTINCT
    CAST(DATE_TRUNC('month', period_end) AS DATE) AS month,
    CAST(DATEADD(month, 1, DATE_TRUNC('month', period_end)) AS DATE) AS next_month
FROM core.fact_box_office
{% if not is_whole %}
WHERE updated_run_id IN ({{ run_ids | sql_slugs }})
{% endif %};

DELETE FROM marts.venue_sales
{% if not is_whole %}
WHERE month IN (SELECT NVL(month, DATE '1900-01-01') FROM sales_month)
{% endif %};

INSERT INTO marts.venue_sales (
    venue_id, month, currency, reports, performances, capacity, tickets_sold, gross, refreshed_at
)
SELECT
    report.venue_id, NVL(report.month, DATE '1900-01-01'), NVL(report.currency, ''), COUNT(*),
    NVL(SUM(report.performances), 0), NVL(SUM(report.capacity), 0), NVL(SUM(report.tickets_sold), 0),
    SUM(report.gross), GETDATE()
FROM (
    SELECT
        dated.venue_id, sales_month.month, dated.currency, dated.performances, dated.capacity, dated.tickets_sold,
        dated.gross
    FROM sales_month
    INNER JOIN core.fact_box_office AS dated
        ON dated.period_end >= sales_month.month AND dated.period_end < sales_month.next_month
    UNION ALL
    SELECT
        undated.venue_id, NULL AS month, undated.currency, undated.performances, undated.capacity,
        undated.tickets_sold, undated.gross
    FROM core.fact_box_office AS undated
    WHERE undated.period_end IS NULL AND EXISTS (SELECT 1 FROM sales_month WHERE sales_month.month IS NULL)
) AS report
WHERE report.venue_id IS NOT NULL
GROUP BY report.venue_id, NVL(report.month, DATE '1900-01-01'), NVL(report.currency, '');
