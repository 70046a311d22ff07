-- Events with a negative price, a lowest price above the highest, or a price without currency.
-- Severity: fail. Table: core.fact_event. Runs: updated_run_id
SELECT source, event_id, price_min, price_max, currency
FROM core.fact_event
WHERE (
        price_min < 0
        OR price_max < 0
        OR price_min > price_max
        OR (COALESCE(price_min, price_max) IS NOT NULL AND currency IS NULL)
    )
    {% if run_ids %}
    AND updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
