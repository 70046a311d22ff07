-- core takes the winning rows: a new key is inserted, a known one updated; created_run_id never changes, and accounts are
-- counted by it. Running it again with the same rows changes nothing but loaded_at. A column of `kept` stays as it is
-- where the newer row has nothing to say. Sets: table, key, columns, kept.
MERGE INTO core.{{ table }}
USING winner
ON {% for column in key %}{% if not loop.first %} AND {% endif %}{{ table }}.{{ column }} = winner.{{ column }}{% endfor %}

WHEN MATCHED THEN UPDATE SET
    {% for column in columns %}
    {{ column }} = {% if column in kept %}COALESCE(winner.{{ column }}, {{ table }}.{{ column }}){% else %}winner.{{ column }}{% endif %},
    {% endfor %}
    ingested_at = winner.ingested_at,
    file_name = winner.file_name,
    updated_run_id = winner.run_id,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    {{ key | join(", ") }}, {{ columns | join(", ") }}, ingested_at, file_name,
    created_run_id, updated_run_id, loaded_at
) VALUES (
    {% for column in key + columns %}winner.{{ column }}, {% endfor %}winner.ingested_at, winner.file_name,
    winner.run_id, winner.run_id, GETDATE()
);
