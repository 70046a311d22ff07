-- Take away the failure of runs whose load went through in the end. Values: run_ids.
DELETE FROM quality.load_audit
WHERE status = 'failed'
    AND run_id IN ({% for run_id in run_ids %}{{ run_id | sql_slug }}{% if not loop.last %}, {% endif %}{% endfor %});
