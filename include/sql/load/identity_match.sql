-- Load the identity matches of one partition into core.identity_match; the newest day wins, then the later run id.
-- Where the run no longer delivers a match that stood, the newest of what other runs have delivered of that key does: each
-- run's matches stay in core.identity_match_delivery, of which a load reads those keys only.
-- Derived from the other entities, hence without an account. One transaction; running it again changes no count.
-- Owner: data-platform. Values: run_id, dt, entity, manifests, warehouse_role.
LOCK staging.lock_identity_match;

CREATE TEMPORARY TABLE staged (
    entity VARCHAR(64) NOT NULL,
    source VARCHAR(128) NOT NULL,
    source_id VARCHAR(256) NOT NULL,
    name VARCHAR(4096),
    matched_id VARCHAR(64),
    matched_name VARCHAR(4096),
    rule VARCHAR(128),
    score DOUBLE PRECISION,
    status VARCHAR(32),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (source_id);

{% include "load/shared/copy_staged.sql" %}

CREATE TEMPORARY TABLE withdrawn AS
SELECT known.entity, known.source, known.source_id
FROM core.identity_match AS known
LEFT JOIN staged
    ON staged.source_id = known.source_id AND staged.source = known.source AND staged.entity = known.entity
WHERE known.run_id = {{ run_id | sql_slug }} AND staged.source_id IS NULL;

DELETE FROM core.identity_match WHERE run_id = {{ run_id | sql_slug }};

DELETE FROM core.identity_match_delivery WHERE run_id = {{ run_id | sql_slug }};

INSERT INTO core.identity_match_delivery (
    entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt
)
SELECT
    entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, {{ dt | sql_date }}
FROM staged;

CREATE TEMPORARY TABLE winner AS
SELECT staged.*, CAST({{ dt | sql_date }} AS DATE) AS dt
FROM staged
LEFT JOIN core.identity_match AS known
    ON known.source_id = staged.source_id AND known.source = staged.source AND known.entity = staged.entity
WHERE known.source_id IS NULL
    OR known.dt < {{ dt | sql_date }}
    OR (known.dt = {{ dt | sql_date }} AND known.run_id < staged.run_id);

INSERT INTO winner (
    entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt
)
SELECT entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt
FROM (
    SELECT
        delivered.*,
        ROW_NUMBER() OVER (
            PARTITION BY delivered.entity, delivered.source, delivered.source_id
            ORDER BY delivered.dt DESC, delivered.run_id DESC
        ) AS _rank
    FROM core.identity_match_delivery AS delivered
    INNER JOIN withdrawn
        ON withdrawn.source_id = delivered.source_id
            AND withdrawn.source = delivered.source
            AND withdrawn.entity = delivered.entity
) AS ranked
WHERE _rank = 1;

MERGE INTO core.identity_match
USING winner
ON identity_match.source_id = winner.source_id
    AND identity_match.source = winner.source
    AND identity_match.entity = winner.entity
WHEN MATCHED THEN UPDATE SET
    name = winner.name,
    matched_id = winner.matched_id,
    matched_name = winner.matched_name,
    rule = winner.rule,
    score = winner.score,
    status = winner.status,
    run_id = winner.run_id,
    dt = winner.dt,
    loaded_at = GETDATE()
WHEN NOT MATCHED THEN INSERT (
    entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt, loaded_at
) VALUES (
    winner.entity, winner.source, winner.source_id, winner.name, winner.matched_id, winner.matched_name, winner.rule,
    winner.score, winner.status, winner.run_id, winner.dt, GETDATE()
);
