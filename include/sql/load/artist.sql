-- Load the artist rows of one partition into core.artist_record: what one source says of an artist. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "artist_record" %}
{% set key = ["source", "source_artist_id"] %}
{% set kept = ["musicbrainz_id", "spotify_id", "ticketmaster_id", "genres", "popularity", "followers"] %}
{% set columns = [
    "artist_id", "name", "musicbrainz_id", "spotify_id", "ticketmaster_id", "genres", "popularity",
    "followers"
] %}
LOCK staging.lock_artist;

CREATE TEMPORARY TABLE staged (
    source VARCHAR(128) NOT NULL,
    source_artist_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    name VARCHAR(4096),
    musicbrainz_id VARCHAR(64),
    spotify_id VARCHAR(64),
    ticketmaster_id VARCHAR(64),
    genres VARCHAR(4096),
    popularity INTEGER,
    followers BIGINT,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (artist_id);

{% include "load/shared/copy_staged.sql" %}

{% include "load/shared/stage_account.sql" %}

{% include "load/shared/find_known.sql" %}

{% include "load/shared/withdraw.sql" %}

{% include "load/shared/find_winner.sql" %}

{% include "load/shared/merge.sql" %}

{% include "load/shared/audit.sql" %}
