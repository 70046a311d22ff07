-- The temporary table winner: the staged rows that may go into core. Redshift's WHEN MATCHED takes no condition, so that
-- those that may not are left out here: older ones, and those as old as a row of another run. A run's own rows may, so
-- that a curation mended since replaces what it wrote. Sets: key.
CREATE TEMPORARY TABLE winner AS
SELECT staged.*
FROM staged
LEFT JOIN known
    ON {% for column in key %}{% if not loop.first %} AND {% endif %}known.{{ column }} = staged.{{ column }}{% endfor %}

WHERE known.source IS NULL
    OR known.ingested_at < staged.ingested_at
    OR (known.ingested_at = staged.ingested_at AND known.updated_run_id = staged.run_id);
