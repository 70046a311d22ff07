-- core.identity_match: how one source's artist or venue was matched with the platform's; status 'review' waits for a person.
-- Key (entity, source, source_id), checks/identity_match_duplicate.sql; the newest run wins. Derived: it has no account.
-- Source: load/identity_match.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.identity_match (
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
    dt DATE NOT NULL,
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (source_id) SORTKEY (source_id, run_id);
