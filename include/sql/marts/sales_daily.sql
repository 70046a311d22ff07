-- marts.sales_daily: one row per day, source and currency. Owner: analytics. Replaces the days on which reports of the loaded
-- runs ended; all days when a run was loaded again, which may have taken reports away. Running it again gives the same rows.
-- Reads core.box_office_usd. Checks: checks/sales_daily.sql. Values: run_ids, is_whole.
CREATE TEMPORARY TABLE sales_day AS
SELECT DISTINCT period_end AS sales_date
FROM core.fact_box_office
WHERE period_end IS NOT NULL
    {% if not is_whole %}
    AND updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %};

DELETE FROM marts.sales_daily
{% if not is_whole %}
WHERE sales_date IN (SELECT sales_day.sales_date FROM sales_day)
{% endif %};

INSERT INTO marts.sales_daily (
    sales_date, source, currency, reports, performances, capacity, tickets_sold, gross, gross_usd, refreshed_at
)
SELECT
    report.period_end, report.source, NVL(report.currency, ''), COUNT(*), NVL(SUM(report.performances), 0),
    NVL(SUM(report.capacity), 0), NVL(SUM(report.tickets_sold), 0), SUM(report.gross),
    CASE WHEN COUNT(report.gross) = COUNT(report.gross_usd) THEN SUM(report.gross_usd) END, GETDATE()
FROM core.box_office_usd AS report
WHERE report.period_end IN (SELECT sales_day.sales_date FROM sales_day)
GROUP BY report.period_end, report.source, NVL(report.currency, '');
