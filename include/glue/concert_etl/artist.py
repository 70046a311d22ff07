"""Artists of Ticketmaster (attractions), Spotify and setlist.fm: typed columns, and the rules of an artist."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.entities import ARTIST
from concert_etl.external_ids import ARTIST_NUMBER, external_keys, musicbrainz_id, spotify_id
from concert_etl.pages import parse
from concert_etl.rules import Rule, encoding_broken, judge, marked_as_test, text_too_long
from concert_etl.texts import shown, whole

# Of all three sources: setlist.fm calls an artist by its MusicBrainz id.
SCHEMA = """
    id string, mbid string, tmid string, name string, url string, test string,
    popularity string, followers struct<total: string>, genres array<string>,
    classifications array<struct<genre: struct<name: string>, subGenre: struct<name: string>>>,
    externalLinks struct<musicbrainz: array<struct<id: string>>, spotify: array<struct<url: string>>>
"""
NO_GENRES = "'Undefined', 'Other'"
GENRES = f"""array_join(array_sort(array_distinct(filter(
    concat(coalesce(item.genres, array()),
           coalesce(flatten(transform(item.classifications, c -> array(c.genre.name, c.subGenre.name))), array())),
    g -> g IS NOT NULL AND g NOT IN ({NO_GENRES})))), '; ')"""
PARTS = {"links": "item.externalLinks"}
TEXTS = {
    "source_artist_id": "coalesce(item.id, item.mbid)",
    "name": "item.name",
    "musicbrainz_id": f"coalesce(item.mbid, {musicbrainz_id('get(links.musicbrainz, 0).id')})",
    "spotify_id": f"CASE WHEN _meta.source = 'spotify' THEN item.id ELSE {spotify_id('get(links.spotify, 0).url')} END",
    "ticketmaster_id": "CASE WHEN _meta.source = 'ticketmaster' THEN item.id ELSE item.tmid END",
    "ticketmaster_number": f"coalesce(item.tmid, regexp_extract(item.url, '{ARTIST_NUMBER}', 1))",
    "genres": GENRES,
    "popularity": "item.popularity",
    "followers": "item.followers.total",
    "test": "item.test",
}
HIGHEST_POPULARITY = 100

RULES = (
    Rule("artist_id_missing", "source_artist_id IS NULL", "'the artist has no id'"),
    Rule("artist_name_missing", "name IS NULL", "'the artist has no name'"),
    encoding_broken("name"),
    marked_as_test("artist"),
    Rule(
        "popularity_invalid",
        f"_text.popularity IS NOT NULL AND (popularity IS NULL OR popularity NOT BETWEEN 0 AND {HIGHEST_POPULARITY})",
        f"concat('popularity is ', {shown('popularity')}, ', not a whole number from 0 to {HIGHEST_POPULARITY}')",
    ),
    Rule(
        "followers_invalid",
        "_text.followers IS NOT NULL AND (followers IS NULL OR followers < 0)",
        f"concat('followers is ', {shown('followers')}, ', not a whole number of at least 0')",
    ),
    text_too_long(ARTIST.widths),
)


def curate(artists: DataFrame) -> DataFrame:
    """Type and judge artists; popularity and followers are given by Spotify alone, and not to every app."""
    names = ("source_artist_id", "name", "musicbrainz_id", "spotify_id", "ticketmaster_id", "genres")
    typed = parse(artists, SCHEMA, TEXTS, PARTS, "artist").select(
        "*",
        F.col("_meta.source").alias("source"),
        *(f"_text.{name}" for name in names),
        F.expr(whole("popularity", "INT")).alias("popularity"),
        F.expr(whole("followers", "BIGINT")).alias("followers"),
        external_keys(
            musicbrainz="lower(_text.musicbrainz_id)",
            spotify="_text.spotify_id",
            ticketmaster="CASE WHEN _meta.source = 'ticketmaster' THEN _text.ticketmaster_id END",
            ticketmaster_number="_text.ticketmaster_number",
        ).alias("_artist_keys"),
    )
    return judge(typed, RULES)
