-- Days on which the mart and the dated reports of core do not say the same number of reports and tickets. After a load: of
-- the days that its runs have touched, and those of the week before it, whose refresh may have gone wrong.
-- Severity: fail. Table: marts.sales_daily
WITH checked AS (
    SELECT DISTINCT period_end AS sales_date
    FROM core.fact_box_office
    WHERE period_end IS NOT NULL
        {% if run_ids %}
        AND (
            updated_run_id IN ({{ run_ids | sql_slugs }})
            OR updated_run_id IN (
{% set entity = "box_office" %}
{% include "checks/shared/runs_of_the_week.sql" %}
            )
        )
        {% else %}
    UNION
    SELECT sales_date FROM marts.sales_daily
        {% endif %}
),

core AS (
    SELECT period_end AS sales_date, source, COUNT(*) AS reports, NVL(SUM(tickets_sold), 0) AS tickets_sold
    FROM core.fact_box_office
    WHERE period_end IN (SELECT checked.sales_date FROM checked)
    GROUP BY period_end, source
),

mart AS (
    SELECT sales_date, source, SUM(reports) AS reports, SUM(tickets_sold) AS tickets_sold
    FROM marts.sales_daily
    WHERE sales_date IN (SELECT checked.sales_date FROM checked)
    GROUP BY sales_date, source
)

SELECT
    NVL(core.sales_date, mart.sales_date) AS sales_date, NVL(core.source, mart.source) AS source,
    core.reports, mart.reports AS mart_reports
FROM core
FULL JOIN mart ON mart.sales_date = core.sales_date AND mart.source = core.source
WHERE NVL(mart.reports, 0) <> NVL(core.reports, 0) OR NVL(mart.tickets_sold, 0) <> NVL(core.tickets_sold, 0)
