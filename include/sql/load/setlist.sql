-- Load the setlist rows of one partition into core.fact_setlist: one song of a setlist. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- A setlist that wins is replaced as a whole, since it may have lost a song; it stays with the run that brought it.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "fact_setlist" %}
{% set key = ["source", "setlist_id"] %}
LOCK staging.lock_setlist;

CREATE TEMPORARY TABLE staged (
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
    is_tape BOOLEAN,
    cover_of VARCHAR(4096),
    updated_at TIMESTAMP,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (artist_id);

{% include "load/shared/copy_staged.sql" %}

{% include "load/shared/stage_account.sql" %}

{% include "load/shared/find_known.sql" %}

{% include "load/shared/withdraw.sql" %}

{% include "load/shared/find_winner.sql" %}

DELETE FROM core.fact_setlist
USING winner
WHERE fact_setlist.source = winner.source AND fact_setlist.setlist_id = winner.setlist_id;

INSERT INTO core.fact_setlist (
    source, setlist_id, song_position, source_artist_id, artist_id, artist, source_venue_id, venue_id, venue, city,
    country, event_date, tour, set_name, is_encore, song, is_tape, cover_of, updated_at,
    ingested_at, file_name, created_run_id, updated_run_id, loaded_at
)
SELECT
    winner.source, winner.setlist_id, winner.song_position, winner.source_artist_id, winner.artist_id, winner.artist,
    winner.source_venue_id, winner.venue_id, winner.venue, winner.city, winner.country, winner.event_date,
    winner.tour, winner.set_name, winner.is_encore, winner.song, winner.is_tape, winner.cover_of, winner.updated_at,
    winner.ingested_at, winner.file_name, NVL(known.created_run_id, winner.run_id), winner.run_id, GETDATE()
FROM winner
LEFT JOIN known ON known.source = winner.source AND known.setlist_id = winner.setlist_id;

{% include "load/shared/audit.sql" %}
