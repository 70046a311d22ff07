-- A row when a newer run has published scores of the model: an older one, cleared or overtaken, then replaces nothing.
-- Values: model_name, run_moment.
SELECT newer.version
FROM ml.model_registry AS newer
WHERE newer.name = {{ model_name | sql_slug }} AND newer.published_moment > {{ run_moment | sql_slug }}
