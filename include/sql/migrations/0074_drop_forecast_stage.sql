-- Staging tables that publications shared: each has temporary ones now, so that two never meet.
-- Owner: data-science.
DROP TABLE IF EXISTS staging.sales_forecast;
DROP TABLE IF EXISTS staging.model_registry;
