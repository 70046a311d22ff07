-- staging.artist: one artist that the staged rows name, then only those that need a new version.
-- Key (artist_id). Source: load/maintain_dim_artist.sql. Emptied and filled by each load. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.artist (
    artist_id VARCHAR(64) NOT NULL,
    name VARCHAR(4096) NOT NULL,
    seen_at TIMESTAMP NOT NULL
) DISTSTYLE ALL;
