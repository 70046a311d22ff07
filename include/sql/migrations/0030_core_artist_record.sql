-- core.artist_record: what one source says of an artist, newest delivery; what it once said and then left out stays.
-- Key (source, source_artist_id), checks/artist_duplicate.sql. Distributed by artist, of whom a dimension's version is
-- made from all records; the sort key holds what loads and checks filter by. Source: curated artists by load/artist.sql.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.artist_record (
    source VARCHAR(128) NOT NULL,
    source_artist_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    name VARCHAR(4096),
    musicbrainz_id VARCHAR(64),
    spotify_id VARCHAR(64),
    ticketmaster_id VARCHAR(64),
    genres VARCHAR(4096),
    popularity INTEGER,  -- 0..100, Spotify's
    followers BIGINT,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    created_run_id VARCHAR(128) NOT NULL,
    updated_run_id VARCHAR(128) NOT NULL,
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (artist_id) SORTKEY (source_artist_id, created_run_id, updated_run_id);
