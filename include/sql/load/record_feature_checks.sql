-- Run every check of the features of a run and write its result as suite 'model_features'; an earlier result of the run
-- is replaced. Reads what the checks read. Values: run_id, as_of, feature_checks (name, file, severity, features of each).
DELETE FROM quality.check_result WHERE run_id = {{ run_id | sql_slug }} AND suite = 'model_features';
{% for check in feature_checks %}

INSERT INTO quality.check_result (
    run_id, dt, suite, expectation, column_name, checked, failed, success, detail, severity, loaded_at
)
SELECT
    {{ run_id | sql_slug }}, {{ as_of | sql_date }}, 'model_features', {{ check.name | sql_slug }}, NULL,
    (
        SELECT COUNT(*) FROM (
{% include check.features %}
        ) AS feature
    ),
    COUNT(*), COUNT(*) = 0, NULL,
    {% if check.severity == 'fail' %}'critical'{% else %}'warning'{% endif %},
    GETDATE()
FROM (
{% include check.file %}
) AS violation;
{% endfor %}
