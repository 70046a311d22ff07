-- staging.venue: one venue that the staged rows name, then only those that need a new version.
-- Key (venue_id). Source: load/maintain_dim_venue.sql. Emptied and filled by each load. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.venue (
    venue_id VARCHAR(64) NOT NULL,
    name VARCHAR(4096) NOT NULL,
    city VARCHAR(1024),
    country VARCHAR(1024),
    seats BIGINT,
    seen_at TIMESTAMP NOT NULL
) DISTSTYLE ALL;
