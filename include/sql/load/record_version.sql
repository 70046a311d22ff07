-- Record versions of a model in ml.model_registry, with their status, and the drift that their training has found.
-- One transaction. Values: model_name, registry_uri, drift_uri (nothing without drift), warehouse_role. Running it again
-- gives the same rows; what was published with a version stays noted.
{% include "load/shared/record_missing_versions.sql" %}

UPDATE ml.model_registry
SET status = recorded.status, reason = recorded.reason
FROM recorded
WHERE model_registry.name = recorded.name AND model_registry.version = recorded.version;
