-- Keys that core.fact_box_office holds more than once. Severity: fail. Table: core.fact_box_office
SELECT source, report_id, COUNT(*) AS copies
FROM core.fact_box_office
GROUP BY source, report_id
HAVING COUNT(*) > 1
