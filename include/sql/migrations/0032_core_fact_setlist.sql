-- core.fact_setlist: one song of a setlist; a setlist without songs is one row at position 0. Accounts count setlists.
-- Key (source, setlist_id, song_position), checks/setlist_duplicate.sql. A setlist is replaced as a whole.
-- Distributed by artist, by whom marts join; the sort key holds what loads, marts and checks filter by.
-- Source: curated setlists by load/setlist.sql. Owner: data-platform.
CREATE TABLE IF NOT EXISTS core.fact_setlist (
    source VARCHAR(128) NOT NULL,
    setlist_id VARCHAR(256) NOT NULL,
    song_position INTEGER NOT NULL,
    source_artist_id VARCHAR(256),
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    source_venue_id VARCHAR(256),
    venue_id VARCHAR(64),
    venue VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    event_date DATE,
    tour VARCHAR(4096),
    set_name VARCHAR(4096),
    is_encore BOOLEAN,
    song VARCHAR(4096),
    is_tape BOOLEAN,  -- played from tape, not performed
    cover_of VARCHAR(4096),
    updated_at TIMESTAMP,  -- by the source
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    created_run_id VARCHAR(128) NOT NULL,
    updated_run_id VARCHAR(128) NOT NULL,
    loaded_at TIMESTAMP NOT NULL
) DISTKEY (artist_id) SORTKEY (event_date, setlist_id, created_run_id, updated_run_id);
