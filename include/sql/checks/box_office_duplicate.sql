-- Keys that core.fact_box_office holds more than once. Severity: fail. Table: core.fact_box_office. Runs: updated_run_id
SELECT source, report_id, COUNT(*) AS copies
FROM core.fact_box_office
{% if run_ids %}
WHERE report_id IN (
    SELECT written.report_id FROM core.fact_box_office AS written
    WHERE written.updated_run_id IN ({{ run_ids | sql_slugs }})
)
{% endif %}
GROUP BY source, report_id
HAVING COUNT(*) > 1
