-- marts.venue_popularity: one venue; rank 1 is the most popular.
-- Key venue_id. Source: marts/venue_popularity.sql, which has the score's formula. Owner: analytics.
CREATE TABLE IF NOT EXISTS marts.venue_popularity (
    venue_id VARCHAR(64) NOT NULL,
    name VARCHAR(4096) NOT NULL,
    city VARCHAR(1024),
    country VARCHAR(1024),
    seats BIGINT,
    upcoming_events BIGINT NOT NULL,
    reports BIGINT NOT NULL,
    performances BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    tickets_sold BIGINT NOT NULL,
    utilisation DECIMAL(8, 4),  -- tickets_sold / capacity; above 1 means standing room; null without reports
    gross DECIMAL(18, 2),       -- of the reports in `currency` only
    currency VARCHAR(16),       -- the one that most reports of the venue have
    popularity_score DECIMAL(6, 2) NOT NULL,  -- 0..100
    popularity_rank BIGINT NOT NULL,
    as_of DATE NOT NULL,
    refreshed_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (popularity_rank);
