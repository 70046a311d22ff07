-- core.identity_match_delivery: each match that a run has delivered, also where another run's stands in core.identity_match:
-- when that one is withdrawn, the newest of the others takes its place.
-- Key (entity, source, source_id, run_id), since a load replaces its run's rows as a whole, which the sort key finds.
-- Source: load/identity_match.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.identity_match_delivery (
    entity VARCHAR(64) NOT NULL,  -- artist | venue
    source VARCHAR(128) NOT NULL,
    source_id VARCHAR(256) NOT NULL,
    name VARCHAR(4096),
    matched_id VARCHAR(64),  -- artist_id or venue_id
    matched_name VARCHAR(4096),
    rule VARCHAR(128),
    score DOUBLE PRECISION,  -- 0..1
    status VARCHAR(32),  -- matched | review
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL
) DISTKEY (source_id) SORTKEY (run_id, source_id);
