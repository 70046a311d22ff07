-- What the sales model would learn from on a day, as one row: reports, and a number that any change of one changes.
-- Reads features/sales_history.sql. Values: as_of.
SELECT
    COUNT(*) AS reports,
    NVL(SUM(STRTOL(SUBSTRING(MD5(
        source || '|' || report_id || '|' || artist_id || '|' || venue_id || '|' || city
        || '|' || NVL(CAST(period_start AS VARCHAR(16)), '') || '|' || NVL(CAST(period_end AS VARCHAR(16)), '')
        || '|' || NVL(CAST(performances AS VARCHAR(32)), '') || '|' || NVL(CAST(capacity AS VARCHAR(32)), '')
        || '|' || NVL(CAST(tickets_sold AS VARCHAR(32)), '') || '|' || NVL(CAST(gross AS VARCHAR(32)), '')
        || '|' || NVL(currency, '')
    ), 1, 12), 16)), 0) AS content
FROM (
{% include "features/sales_history.sql" %}
) AS history
