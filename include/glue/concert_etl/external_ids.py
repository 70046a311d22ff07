"""Ids that other services know an artist by: exact keys of an identity, such as ``musicbrainz:<id>``."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

MUSICBRAINZ_ID = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
SPOTIFY_ID = "artist[/:]([0-9A-Za-z]{22})(?![0-9A-Za-z])"
# setlist.fm knows Ticketmaster's artists by the number in their address, not by the id of the Discovery API.
ARTIST_NUMBER = "/artist/([0-9]+)"


def musicbrainz_id(text: str) -> str:
    """SQL: the MusicBrainz id in a text; empty without one."""
    return f"regexp_extract(lower({text}), '{MUSICBRAINZ_ID}', 1)"


def spotify_id(url: str) -> str:
    """SQL: the Spotify id in the address of an artist; empty without one."""
    return f"regexp_extract({url}, '{SPOTIFY_ID}', 1)"


def external_keys(**ids: str) -> Column:
    """The keys of what is known, as an array of texts.

    :param ids: kind -> SQL of the id
    """
    keys = [F.concat(F.lit(f"{kind}:"), F.nullif(F.expr(sql), F.lit(""))) for kind, sql in ids.items()]
    return F.array_sort(F.array_compact(F.array(*keys)))


def attraction_keys(attraction: str) -> Column:
    """Keys of an attraction of Ticketmaster, which carries links to other services."""
    return external_keys(
        musicbrainz=musicbrainz_id(f"get({attraction}.externalLinks.musicbrainz, 0).id"),
        spotify=spotify_id(f"get({attraction}.externalLinks.spotify, 0).url"),
        ticketmaster=f"{attraction}.id",
        ticketmaster_number=f"regexp_extract({attraction}.url, '{ARTIST_NUMBER}', 1)",
    )
