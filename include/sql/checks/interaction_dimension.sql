-- Interactions whose artist is in no dimension. Severity: fail. Table: core.fact_interaction. Runs: updated_run_id
SELECT interaction.source, interaction.user_id, interaction.source_artist_id
FROM core.fact_interaction AS interaction
LEFT JOIN core.dim_artist AS artist ON artist.artist_id = interaction.artist_id AND artist.is_current
WHERE (
        interaction.artist_id IS NOT NULL AND artist.artist_id IS NULL
    )
    {% if run_ids %}
    AND interaction.updated_run_id IN ({{ run_ids | sql_slugs }})
    {% endif %}
