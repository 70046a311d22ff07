-- Venues and months of which the mart and the reports of core do not say the same number of reports and tickets; the reports
-- without a day are the month 1900-01-01. After a load: of the months that its runs have touched, and those of the week
-- before it, whose refresh may have gone wrong. Severity: fail. Table: marts.venue_sales
WITH checked AS (
    SELECT DISTINCT CAST(DATE_TRUNC('month', period_end) AS DATE) AS month
    FROM core.fact_box_office
    {% if run_ids %}
    WHERE updated_run_id IN ({{ run_ids | sql_slugs }})
        OR updated_run_id IN (
{% set entity = "box_office" %}
{% include "checks/shared/runs_of_the_week.sql" %}
        )
    {% else %}
    UNION
    SELECT NULLIF(month, DATE '1900-01-01') FROM marts.venue_sales
    {% endif %}
),

core AS (
    SELECT venue_id, month, COUNT(*) AS reports, NVL(SUM(tickets_sold), 0) AS tickets_sold
    FROM (
        SELECT dated.venue_id, checked.month, dated.tickets_sold
        FROM checked
        INNER JOIN core.fact_box_office AS dated
            ON dated.period_end >= checked.month AND dated.period_end < DATEADD(month, 1, checked.month)
        UNION ALL
        SELECT undated.venue_id, DATE '1900-01-01' AS month, undated.tickets_sold
        FROM core.fact_box_office AS undated
        WHERE undated.period_end IS NULL AND EXISTS (SELECT 1 FROM checked WHERE checked.month IS NULL)
    ) AS report
    WHERE venue_id IS NOT NULL
    GROUP BY venue_id, month
),

mart AS (
    SELECT venue_id, month, SUM(reports) AS reports, SUM(tickets_sold) AS tickets_sold
    FROM marts.venue_sales
    WHERE month IN (SELECT NVL(checked.month, DATE '1900-01-01') FROM checked)
    GROUP BY venue_id, month
)

SELECT
    NVL(core.venue_id, mart.venue_id) AS venue_id, NVL(core.month, mart.month) AS month,
    core.reports, mart.reports AS mart_reports
FROM core
FULL JOIN mart ON mart.venue_id = core.venue_id AND mart.month = core.month
WHERE NVL(mart.reports, 0) <> NVL(core.reports, 0) OR NVL(mart.tickets_sold, 0) <> NVL(core.tickets_sold, 0)
