-- core.dim_artist: one version of an artist or show (type 2).
-- Key artist_key; one current version per artist_id, checks/artist_version.sql.
-- On every node, since each fact joins it. Source: load/shared/dim_artist.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.dim_artist (
    artist_key BIGINT IDENTITY(1, 1) NOT NULL,
    artist_id VARCHAR(64) NOT NULL,
    name VARCHAR(4096) NOT NULL,
    valid_from TIMESTAMP NOT NULL,  -- when the platform learned it, not when it came true
    valid_to TIMESTAMP,             -- null while current
    is_current BOOLEAN NOT NULL
) DISTSTYLE ALL SORTKEY (artist_id);
