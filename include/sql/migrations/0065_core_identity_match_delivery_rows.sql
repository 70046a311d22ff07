-- core.identity_match_delivery begins with the matches that stand; one that had lost before is known once its day is loaded
-- again. Owner: data-platform.
INSERT INTO core.identity_match_delivery (
    entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt
)
SELECT entity, source, source_id, name, matched_id, matched_name, rule, score, status, run_id, dt
FROM core.identity_match;
