"""Setlists of setlist.fm: a concert's record is judged as one, and becomes a row for each of its songs."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from concert_etl.countries import country_code
from concert_etl.entities import SETLIST, WIDTHS
from concert_etl.external_ids import external_keys
from concert_etl.pages import parse
from concert_etl.rules import Rule, encoding_broken, judge, text_too_long
from concert_etl.texts import FIRST_DAY, LAST_DAY, moment, shown
from concert_etl.venue import is_placeholder

SCHEMA = """
    id string, eventDate string, lastUpdated string,
    artist struct<mbid: string, tmid: string, name: string>,
    venue struct<id: string, name: string, city: struct<name: string, country: struct<code: string, name: string>>>,
    tour struct<name: string>,
    sets struct<set: array<struct<
        name: string, encore: string, song: array<struct<name: string, tape: string, cover: struct<name: string>>>>>>
"""
PARTS = {"venue_name": f"CASE WHEN NOT coalesce({is_placeholder('item.venue.name')}, false) THEN item.venue.name END"}
TEXTS = {
    "setlist_id": "item.id",
    "source_artist_id": "item.artist.mbid",
    "artist": "item.artist.name",
    "source_venue_id": "item.venue.id",
    "venue": "venue_name",
    "city": "item.venue.city.name",
    "country": "coalesce(item.venue.city.country.code, item.venue.city.country.name)",
    "event_date": "item.eventDate",
    "tour": "item.tour.name",
    "updated_at": "item.lastUpdated",
    "ticketmaster_number": "item.artist.tmid",
}
SONG_COLUMNS = ("set_name", "is_encore", "song", "is_tape", "cover_of")
# Songs in the order of the evening. An unknown song has a blank name: it was played, so it keeps its place.
SONGS = """flatten(transform(coalesce(item.sets.set, array()), s -> transform(coalesce(s.song, array()), t -> struct(
    s.name AS set_name,
    coalesce(try_cast(s.encore AS INT) > 0, false) AS is_encore,
    t.name AS song,
    coalesce(t.tape = 'true', false) AS is_tape,
    t.cover.name AS cover_of))))"""
DAY_FIRST = "^([0-9]{2})-([0-9]{2})-([0-9]{4})$"
DAY = f"regexp_replace(_text.event_date, '{DAY_FIRST}', '$3-$2-$1')"
EVENT_DATE = f"""CASE WHEN _text.event_date RLIKE '{DAY_FIRST}' AND {DAY} BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'
    THEN try_cast({DAY} AS DATE) END"""
# The API writes the zone without a colon.
UPDATED_AT = moment("regexp_replace(_text.updated_at, '([+-][0-9]{2})([0-9]{2})$', '$1:$2')")


def _song_too_long() -> Rule:
    names = ("set_name", "song", "cover_of")
    too_long = " OR ".join(f"octet_length(s.{name}) > {WIDTHS[name]}" for name in names)
    return Rule(
        "text_too_long", f"exists(_songs, s -> {too_long})", "'the name of a song or set is too long for the warehouse'"
    )


RULES = (
    Rule("setlist_id_missing", "setlist_id IS NULL", "'the setlist has no id'"),
    Rule(
        "artist_missing",
        "artist IS NULL OR source_artist_id IS NULL",
        f"concat('artist ', {shown('source_artist_id')}, ' has the name ', {shown('artist')})",
    ),
    Rule("event_date_missing", "_text.event_date IS NULL", "'the setlist has no date'"),
    Rule(
        "event_date_invalid",
        "event_date IS NULL",
        f"concat('the date is ', {shown('event_date')}, ', not dd-mm-yyyy from {FIRST_DAY} to {LAST_DAY}')",
    ),
    encoding_broken("artist", "venue", "city"),
    Rule("encoding_broken", "exists(_songs, s -> contains(s.song, '\ufffd'))", "'a song has characters that are none'"),
    text_too_long({name: width for name, width in SETLIST.widths.items() if name not in SONG_COLUMNS}),
    _song_too_long(),
)


def curate(setlists: DataFrame) -> DataFrame:
    """Type and judge setlists; ``_songs`` are the rows that one becomes."""
    names = ("setlist_id", "source_artist_id", "artist", "source_venue_id", "venue", "city", "tour")
    typed = parse(setlists, SCHEMA, TEXTS, PARTS, "setlist").select(
        "*",
        F.col("_meta.source").alias("source"),
        *(f"_text.{name}" for name in names),
        country_code(F.col("_text.country")).alias("country"),
        F.expr(EVENT_DATE).alias("event_date"),
        F.expr(UPDATED_AT).alias("updated_at"),
        F.expr(SONGS).alias("_songs"),
        external_keys(
            musicbrainz="lower(_text.source_artist_id)", ticketmaster_number="_text.ticketmaster_number"
        ).alias("_artist_keys"),
    )
    return judge(typed, RULES).withColumn("_rows", F.greatest(F.size("_songs"), F.lit(1)))


def songs(setlists: DataFrame) -> DataFrame:
    """A row for each song, counted from 1; for a setlist without songs one with position 0."""
    return setlists.select("*", F.posexplode_outer("_songs").alias("_position", "_song")).select(
        "*",
        F.coalesce(F.col("_position") + 1, F.lit(0)).alias("song_position"),
        *(F.col(f"_song.{name}").alias(name) for name in SONG_COLUMNS),
    )
