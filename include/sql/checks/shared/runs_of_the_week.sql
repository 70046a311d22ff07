-- Runs whose loads of an entity are of the last seven days: the refresh of the marts after one of them may have gone wrong.
-- Sets: entity.
SELECT audit.run_id
FROM quality.load_audit AS audit
WHERE audit.entity = {{ entity | sql_slug }} AND audit.loaded_at >= DATEADD(day, -7, GETDATE())
