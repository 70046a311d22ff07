-- core.dim_venue: one version of a venue (type 2).
-- seats: capacity of one performance by the latest box-office report, null without any.
-- Key venue_key; one current version per venue_id, checks/venue_version.sql.
-- On every node, since each fact joins it. Source: load/shared/dim_venue.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.dim_venue (
    venue_key BIGINT IDENTITY(1, 1) NOT NULL,
    venue_id VARCHAR(64) NOT NULL,
    name VARCHAR(4096) NOT NULL,
    city VARCHAR(1024),
    country VARCHAR(1024),
    seats BIGINT,
    valid_from TIMESTAMP NOT NULL,  -- when the platform learned it, not when it came true
    valid_to TIMESTAMP,             -- null while current
    is_current BOOLEAN NOT NULL
) DISTSTYLE ALL SORTKEY (venue_id);
