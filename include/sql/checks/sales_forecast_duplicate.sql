-- Events that a model has forecast more than once for the same day. Severity: fail. Table: ml.sales_forecast
SELECT concert_id, as_of, model_name, COUNT(*) AS copies
FROM ml.sales_forecast
GROUP BY concert_id, as_of, model_name
HAVING COUNT(*) > 1
