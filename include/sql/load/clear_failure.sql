-- Take away the failure of runs whose load went through in the end; that of a run which is loaded in part only stays.
-- Values: run_ids.
DELETE FROM quality.load_audit
WHERE status = 'failed' AND run_id IN ({{ run_ids | sql_slugs }})
    AND run_id NOT IN (SELECT audit.run_id FROM quality.load_audit AS audit WHERE audit.status = 'partial');
