-- core.dim_artist takes the artists of the staged rows: an unknown one is added, a renamed one gets a new version.
-- A name that was seen no later than the current version began never replaces it, so that a reload of an old run
-- changes nothing. When a run spells a name in several ways, the newest wins, then the first in byte order.
INSERT INTO staging.artist (artist_id, name, seen_at)
SELECT ranked.artist_id, ranked.name, ranked.ingested_at
FROM (
    SELECT
        artist_id, name, ingested_at,
        ROW_NUMBER() OVER (PARTITION BY artist_id ORDER BY ingested_at DESC, name) AS _rank
    FROM (
        SELECT artist_id, artist AS name, ingested_at FROM staging.event
        UNION ALL
        SELECT artist_id, NVL(artist, show) AS name, ingested_at FROM staging.box_office
        UNION ALL
        SELECT artist_id, artist AS name, ingested_at FROM staging.interaction
    ) AS named
    WHERE artist_id IS NOT NULL AND name IS NOT NULL
) AS ranked
LEFT JOIN core.dim_artist AS known ON known.artist_id = ranked.artist_id AND known.is_current
WHERE ranked._rank = 1
    AND (known.artist_id IS NULL OR (known.name <> ranked.name AND ranked.ingested_at > known.valid_from));

UPDATE core.dim_artist
SET valid_to = renamed.seen_at, is_current = FALSE
FROM staging.artist AS renamed
WHERE dim_artist.artist_id = renamed.artist_id AND dim_artist.is_current;

INSERT INTO core.dim_artist (artist_id, name, valid_from, valid_to, is_current)
SELECT artist_id, name, seen_at, NULL, TRUE
FROM staging.artist;
