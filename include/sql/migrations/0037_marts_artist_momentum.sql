-- marts.artist_momentum: one artist on one day, compared with four weeks before; rank 1 gains most.
-- Key (artist_id, as_of), checks/artist_momentum.sql. Read by day, hence sorted by it.
-- Source: marts/artist_momentum.sql, which has the score's formula. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.artist_momentum (
    artist_id VARCHAR(64) NOT NULL,
    as_of DATE NOT NULL,
    name VARCHAR(4096) NOT NULL,
    upcoming_events BIGINT NOT NULL,  -- within 180 days
    shows BIGINT NOT NULL,            -- days with a show in the last 28 days
    shows_before BIGINT NOT NULL,     -- in the 28 days before those
    fans BIGINT NOT NULL,             -- users of the interaction stream in the last 28 days
    fans_before BIGINT NOT NULL,
    popularity INTEGER,
    followers BIGINT,
    momentum_score DECIMAL(6, 2) NOT NULL,  -- 0..100
    momentum_rank BIGINT NOT NULL,
    refreshed_at TIMESTAMP NOT NULL
) DISTKEY (artist_id) SORTKEY (as_of);
