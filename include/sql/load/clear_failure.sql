-- Take away the failure of runs whose load went through in the end. Values: run_ids.
DELETE FROM quality.load_audit WHERE status = 'failed' AND run_id IN ({{ run_ids | sql_slugs }});
