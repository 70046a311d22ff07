-- Days on which the mart and the dated reports of core do not say the same number of reports and tickets.
-- Severity: fail. Table: marts.sales_daily
SELECT core.sales_date, core.source, core.reports, mart.reports AS mart_reports
FROM (
    SELECT period_end AS sales_date, source, COUNT(*) AS reports, SUM(tickets_sold) AS tickets_sold
    FROM core.fact_box_office
    WHERE period_end IS NOT NULL
        {% if run_ids %}
        AND period_end IN (
            SELECT written.period_end FROM core.fact_box_office AS written
            WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
        )
        {% endif %}
    GROUP BY period_end, source
) AS core
LEFT JOIN (
    SELECT sales_date, source, SUM(reports) AS reports, SUM(tickets_sold) AS tickets_sold
    FROM marts.sales_daily
    GROUP BY sales_date, source
) AS mart ON mart.sales_date = core.sales_date AND mart.source = core.source
WHERE NVL(mart.reports, 0) <> core.reports OR NVL(mart.tickets_sold, 0) <> NVL(core.tickets_sold, 0)
