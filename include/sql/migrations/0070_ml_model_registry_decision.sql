-- ml.model_registry: every version of a model, also those that were rejected; status is that of SageMaker's registry
-- (Approved | Rejected). Of a model's versions, the one that was published last is served.
-- Source: load/record_version.sql, load/publish_*.sql. Owner: data-science.
ALTER TABLE ml.model_registry ADD COLUMN decision VARCHAR(65535);  -- JSON text: promote, reason, margin, bound
ALTER TABLE ml.model_registry ADD COLUMN reason VARCHAR(4096);  -- why the status is what it is
ALTER TABLE ml.model_registry ADD COLUMN package_arn VARCHAR(2048);  -- version in SageMaker's registry
ALTER TABLE ml.model_registry ADD COLUMN data_from VARCHAR(32);  -- first day that it was trained on
ALTER TABLE ml.model_registry ADD COLUMN data_through VARCHAR(32);  -- last day that it was trained on
ALTER TABLE ml.model_registry ADD COLUMN fingerprint VARCHAR(256);  -- of the data and code that it was trained with
ALTER TABLE ml.model_registry ADD COLUMN published_run_id VARCHAR(128);  -- run of the last publication with it
ALTER TABLE ml.model_registry ADD COLUMN published_moment VARCHAR(32);  -- when that run was due: older ones publish no more
ALTER TABLE ml.model_registry ADD COLUMN published_at TIMESTAMP;  -- of the last publication with it
