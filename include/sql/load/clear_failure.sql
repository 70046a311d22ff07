-- Take away the failure of runs whose load went through in the end. Values: run_ids.
{% for run_id in run_ids %}
DELETE FROM quality.load_audit WHERE run_id = {{ run_id | sql_slug }} AND status = 'failed';
{% endfor %}
