-- The temporary table known: the staged keys that core has, and which run brought and which updated them.
-- The only look into core by key before the merge, of which everything else is made. Sets: table, key.
CREATE TEMPORARY TABLE known AS
SELECT DISTINCT
    {% for column in key %}core.{{ column }}, {% endfor %}core.created_run_id, core.updated_run_id, core.ingested_at
FROM staged
INNER JOIN core.{{ table }} AS core
    ON {% for column in key %}{% if not loop.first %} AND {% endif %}core.{{ column }} = staged.{{ column }}{% endfor %};
