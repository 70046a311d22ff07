-- Box-office reports with negative money, or money without currency. Severity: fail. Table: core.fact_box_office
SELECT source, report_id, gross, average_price, top_price, currency
FROM core.fact_box_office
WHERE gross < 0
    OR average_price < 0
    OR top_price < 0
    OR (COALESCE(gross, average_price, top_price) IS NOT NULL AND currency IS NULL)
