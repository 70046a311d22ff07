-- core.dim_artist takes the artists that the run has written. An artist with a record is made of all its records: the name
-- is setlist.fm's (MusicBrainz's spelling), else Spotify's, else Ticketmaster's. A fact that names an artist without any
-- record makes an inferred member; its first record completes it in place, so that facts keep their key. Other changes
-- are new versions (type 2), unless they were seen no later than the current version began: a reload changes nothing.
-- An artist who has lost a record, because its run withdrew it or it is another artist's now, is made of those that are left;
-- without any it is an inferred member again, in place, and keeps its name alone: facts may still name it. Who has lost one
-- is found by what no record says any more, among all artists, since the record itself does not tell whose it was.
-- Reads core.artist_record and the facts. Values: run_id.
CREATE TEMPORARY TABLE bereft_artist AS
SELECT known.artist_id, MAX(record.artist_id) AS recorded_id
FROM core.dim_artist AS known
LEFT JOIN core.artist_record AS record ON record.artist_id = known.artist_id AND record.name IS NOT NULL
WHERE known.is_current AND NOT known.is_inferred
GROUP BY known.artist_id
HAVING MAX(CASE WHEN record.name = known.name THEN 1 ELSE 0 END) = 0
    OR NVL(MAX(known.musicbrainz_id), '') <> NVL(MAX(record.musicbrainz_id), '')
    OR NVL(MAX(known.spotify_id), '') <> NVL(MAX(record.spotify_id), '')
    OR NVL(MAX(known.ticketmaster_id), '') <> NVL(MAX(record.ticketmaster_id), '');

UPDATE core.dim_artist
SET musicbrainz_id = NULL,
    spotify_id = NULL,
    ticketmaster_id = NULL,
    genres = NULL,
    popularity = NULL,
    followers = NULL,
    is_inferred = TRUE
FROM bereft_artist AS bereft
WHERE dim_artist.artist_id = bereft.artist_id AND dim_artist.is_current AND bereft.recorded_id IS NULL;

CREATE TEMPORARY TABLE recorded_artist AS
SELECT
    artist_id, MAX(CASE WHEN _rank = 1 THEN name END) AS name, MAX(musicbrainz_id) AS musicbrainz_id,
    MAX(spotify_id) AS spotify_id, MAX(ticketmaster_id) AS ticketmaster_id, MAX(genres) AS genres,
    MAX(popularity) AS popularity, MAX(followers) AS followers, MAX(ingested_at) AS seen_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY artist_id
            ORDER BY
                CASE source WHEN 'setlistfm' THEN 1 WHEN 'spotify' THEN 2 WHEN 'ticketmaster' THEN 3 ELSE 4 END ASC,
                ingested_at DESC, source ASC, source_artist_id ASC
        ) AS _rank
    FROM core.artist_record
    WHERE name IS NOT NULL
        AND artist_id IN (
            SELECT written.artist_id FROM core.artist_record AS written
            WHERE written.updated_run_id = {{ run_id | sql_slug }}
            UNION
            SELECT bereft.artist_id FROM bereft_artist AS bereft
        )
) AS ranked
GROUP BY artist_id;

UPDATE core.dim_artist
SET name = recorded.name,
    musicbrainz_id = recorded.musicbrainz_id,
    spotify_id = recorded.spotify_id,
    ticketmaster_id = recorded.ticketmaster_id,
    genres = recorded.genres,
    popularity = recorded.popularity,
    followers = recorded.followers,
    is_inferred = FALSE
FROM recorded_artist AS recorded
WHERE dim_artist.artist_id = recorded.artist_id
    AND dim_artist.is_current
    AND (dim_artist.is_inferred OR recorded.seen_at <= dim_artist.valid_from);

DELETE FROM recorded_artist
USING core.dim_artist AS known
WHERE recorded_artist.artist_id = known.artist_id
    AND known.is_current
    AND known.name = recorded_artist.name
    AND NVL(known.musicbrainz_id, '') = NVL(recorded_artist.musicbrainz_id, '')
    AND NVL(known.spotify_id, '') = NVL(recorded_artist.spotify_id, '')
    AND NVL(known.ticketmaster_id, '') = NVL(recorded_artist.ticketmaster_id, '')
    AND NVL(known.genres, '') = NVL(recorded_artist.genres, '')
    AND NVL(known.popularity, -1) = NVL(recorded_artist.popularity, -1)
    AND NVL(known.followers, -1) = NVL(recorded_artist.followers, -1);

UPDATE core.dim_artist
SET valid_to = changed.seen_at, is_current = FALSE
FROM recorded_artist AS changed
WHERE dim_artist.artist_id = changed.artist_id AND dim_artist.is_current;

INSERT INTO core.dim_artist (
    artist_id, name, musicbrainz_id, spotify_id, ticketmaster_id, genres, popularity, followers,
    is_inferred, valid_from, valid_to, is_current
)
SELECT
    artist_id, name, musicbrainz_id, spotify_id, ticketmaster_id, genres, popularity, followers,
    FALSE, seen_at, NULL, TRUE
FROM recorded_artist;

CREATE TEMPORARY TABLE named_artist AS
SELECT ranked.artist_id, ranked.name, ranked.ingested_at AS seen_at
FROM (
    SELECT
        artist_id, name, ingested_at,
        ROW_NUMBER() OVER (PARTITION BY artist_id ORDER BY ingested_at DESC, name ASC) AS _rank
    FROM (
        SELECT artist_id, artist AS name, ingested_at
        FROM core.fact_event
        WHERE updated_run_id = {{ run_id | sql_slug }}
        UNION ALL
        SELECT artist_id, NVL(artist, show) AS name, ingested_at
        FROM core.fact_box_office
        WHERE updated_run_id = {{ run_id | sql_slug }}
        UNION ALL
        SELECT artist_id, artist AS name, ingested_at
        FROM core.fact_interaction
        WHERE updated_run_id = {{ run_id | sql_slug }}
        UNION ALL
        SELECT artist_id, artist AS name, ingested_at
        FROM core.fact_setlist
        WHERE updated_run_id = {{ run_id | sql_slug }}
    ) AS named
    WHERE artist_id IS NOT NULL AND name IS NOT NULL
) AS ranked
LEFT JOIN core.dim_artist AS known ON known.artist_id = ranked.artist_id AND known.is_current
WHERE ranked._rank = 1
    AND (
        known.artist_id IS NULL
        OR (known.is_inferred AND known.name <> ranked.name AND ranked.ingested_at > known.valid_from)
    );

UPDATE core.dim_artist
SET valid_to = renamed.seen_at, is_current = FALSE
FROM named_artist AS renamed
WHERE dim_artist.artist_id = renamed.artist_id AND dim_artist.is_current;

INSERT INTO core.dim_artist (artist_id, name, is_inferred, valid_from, valid_to, is_current)
SELECT artist_id, name, TRUE, seen_at, NULL, TRUE
FROM named_artist;
