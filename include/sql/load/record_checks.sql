-- Run every check and write its result as suite 'warehouse' of one ingest run; an earlier result is replaced. A check
-- reads what the loaded runs have touched, so that its cost does not grow with the history.
-- Reads what the checks read. Values: run_id, dt, run_ids, checks (name, file, table and column of the runs of each).
DELETE FROM quality.check_result WHERE run_id = {{ run_id | sql_slug }} AND suite = 'warehouse';
{% for check in checks %}

INSERT INTO quality.check_result (
    run_id, dt, suite, expectation, column_name, checked, failed, success, detail, severity, loaded_at
)
SELECT
    {{ run_id | sql_slug }}, {{ dt | sql_date }}, 'warehouse', {{ check.name | sql_slug }}, NULL,
    (
        SELECT COUNT(*) FROM {{ check.table }}
        {% if check.runs %}
        AS checked WHERE checked.{{ check.runs }} IN ({{ run_ids | sql_slugs }})
        {% endif %}
    ),
    COUNT(*), COUNT(*) = 0, NULL,
    {% if check.severity == 'fail' %}'critical'{% else %}'warning'{% endif %},
    GETDATE()
FROM (
{% include check.file %}
) AS violation;
{% endfor %}
