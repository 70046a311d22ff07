-- Note which version of a model was published last, in the transaction that publishes it.
-- Values: model_name, model_version, run_id, run_moment.
UPDATE ml.model_registry
SET
    published_run_id = {{ run_id | sql_slug }}, published_moment = {{ run_moment | sql_slug }}, published_at = GETDATE()
WHERE
    name = {{ model_name | sql_slug }} AND version = {{ model_version | sql_slug }}
    AND NOT EXISTS (
{% include "load/shared/newer_publication.sql" %}
    );
