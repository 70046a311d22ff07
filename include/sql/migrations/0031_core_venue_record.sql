-- core.venue_record: what one source says of a venue, newest delivery; what it once said and then left out stays.
-- Key (source, source_venue_id), checks/venue_duplicate.sql. Distributed by venue, of which a dimension's version is made
-- from all records; the sort key holds what loads and checks filter by. Source: curated venues by load/venue.sql.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.venue_record (
    source VARCHAR(128) NOT NULL,
    source_venue_id VARCHAR(256) NOT NULL,
    venue_id VARCHAR(64),
    name VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    timezone VARCHAR(128),
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    created_run_id VARCHAR(128) NOT NULL,
    updated_run_id VARCHAR(128) NOT NULL,
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (venue_id) SORTKEY (source_venue_id, created_run_id, updated_run_id);
