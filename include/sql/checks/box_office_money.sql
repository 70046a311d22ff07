-- Box-office reports with negative money, or money without currency. Severity: fail. Table: core.fact_box_office. Runs: updated_run_id
SELECT source, report_id, gross, average_price, top_price, currency
FROM core.fact_box_office
WHERE (
        gross < 0
        OR average_price < 0
        OR top_price < 0
        OR (COALESCE(gross, average_price, top_price) IS NOT NULL AND currency IS NULL)
    )
    {% if run_ids %}
    AND updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
