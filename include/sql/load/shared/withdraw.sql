-- Take out of core what an earlier load of this run brought and the run no longer delivers: a mended mapping or rule
-- gives other keys, or rejects a row. Also in what looks like a first load: another one may have come in between, and
-- only this transaction, which holds the entity's lock, can tell. Sets: table, key. Values: run_id.
--
-- A row that this run brought and nobody has updated since goes. What two runs have delivered stays with the other one,
-- in whichever order both are curated again, and the accounts of both still close:
--     brought by this run, updated by another    that run's from now on: one key loaded more, one deduplicated less
--     brought by another run, updated by this    that run's again; its ingested_at becomes the oldest there is, so that
--                                                the next delivery of anybody replaces the values that were withdrawn
-- What other runs delivered of such a key, and lost against this one's, comes back with the next load: shared/audit.sql
-- marks those runs.
CREATE TEMPORARY TABLE withdrawn AS
SELECT DISTINCT {% for column in key %}core.{{ column }}, {% endfor %}core.created_run_id, core.updated_run_id
FROM core.{{ table }} AS core
LEFT JOIN staged
    ON {% for column in key %}{% if not loop.first %} AND {% endif %}staged.{{ column }} = core.{{ column }}{% endfor %}

WHERE (core.created_run_id = {{ run_id | sql_slug }} OR core.updated_run_id = {{ run_id | sql_slug }})
    AND staged.source IS NULL;

DELETE FROM core.{{ table }}
USING withdrawn
WHERE {% for column in key %}{{ table }}.{{ column }} = withdrawn.{{ column }} AND {% endfor %}

    withdrawn.created_run_id = withdrawn.updated_run_id;

UPDATE core.{{ table }}
SET created_run_id = CASE
        WHEN withdrawn.created_run_id = {{ run_id | sql_slug }}
            THEN withdrawn.updated_run_id
        ELSE withdrawn.created_run_id
    END,
    updated_run_id = CASE
        WHEN withdrawn.updated_run_id = {{ run_id | sql_slug }}
            THEN withdrawn.created_run_id
        ELSE withdrawn.updated_run_id
    END,
    ingested_at = CASE
        WHEN withdrawn.updated_run_id = {{ run_id | sql_slug }}
            THEN TIMESTAMP '1900-01-01 00:00:00'
        ELSE {{ table }}.ingested_at
    END
FROM withdrawn
WHERE {% for column in key %}{{ table }}.{{ column }} = withdrawn.{{ column }} AND {% endfor %}

    withdrawn.created_run_id <> withdrawn.updated_run_id;
