-- quality.check_result: whether a failure stops the data (critical) or is only told (warning). Null before this migration.
-- Owner: data-platform.
ALTER TABLE quality.check_result ADD COLUMN severity VARCHAR(16);  -- critical | warning
