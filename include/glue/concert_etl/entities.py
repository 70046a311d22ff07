"""The curated datasets: their columns, in the order of the files, the catalogue and the warehouse, and their keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entity:
    """One curated dataset.

    :param columns: name -> Spark type
    :param key: columns of which a combination is one row of a run
    :param record: columns of which a combination is one record of the source, where a record gives several rows
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]
    record: tuple[str, ...] = ()

    @property
    def record_key(self) -> tuple[str, ...]:
        return self.record or self.key

    @property
    def widths(self) -> dict[str, int]:
        """Longest text in bytes of each column that a record fills."""
        return {name: width for name, width in WIDTHS.items() if self.columns.get(name) == "string"}

    @property
    def ddl(self) -> str:
        return ", ".join(f"{name} {kind}" for name, kind in self.columns.items())


# Bytes of UTF-8 that the warehouse's columns hold.
WIDTHS = {
    "source": 128,
    "event_id": 256,
    "report_id": 256,
    "user_id": 256,
    "source_artist_id": 256,
    "source_venue_id": 256,
    "setlist_id": 256,
    "musicbrainz_id": 64,
    "spotify_id": 64,
    "ticketmaster_id": 64,
    "genres": 4096,
    "tour": 4096,
    "set_name": 4096,
    "song": 4096,
    "cover_of": 4096,
    "name": 4096,
    "show": 4096,
    "artist": 4096,
    "venue": 4096,
    "city": 1024,
    "country": 1024,
    "segment": 512,
    "timezone": 128,
    "status": 128,
    "currency": 16,
}
# Columns that say where a row comes from; every dataset ends with them.
ORIGIN = {"ingested_at": "timestamp", "file_name": "string", "run_id": "string"}

EVENT = Entity(
    name="event",
    key=("source", "event_id"),
    columns={
        "source": "string",
        "event_id": "string",
        "name": "string",
        "artist_id": "string",
        "artist": "string",
        "venue_id": "string",
        "venue": "string",
        "city": "string",
        "country": "string",
        "segment": "string",
        "event_date": "date",
        "start_at": "timestamp",
        "timezone": "string",
        "status": "string",
        "onsale_at": "timestamp",
        "price_min": "decimal(12,2)",
        "price_max": "decimal(12,2)",
        "currency": "string",
        "source_artist_id": "string",
        "source_venue_id": "string",
        **ORIGIN,
    },
)
BOX_OFFICE = Entity(
    name="box_office",
    key=("source", "report_id"),
    columns={
        "source": "string",
        "report_id": "string",
        "show": "string",
        "artist_id": "string",
        "artist": "string",
        "venue_id": "string",
        "venue": "string",
        "city": "string",
        "country": "string",
        "period_start": "date",
        "period_end": "date",
        "period_precision": "string",
        "performances": "int",
        "capacity": "bigint",
        "tickets_sold": "bigint",
        "gross": "decimal(14,2)",
        "currency": "string",
        "average_price": "decimal(12,2)",
        "top_price": "decimal(12,2)",
        "warning": "string",
        **ORIGIN,
    },
)
INTERACTION = Entity(
    name="interaction",
    key=("source", "user_id", "source_artist_id"),
    columns={
        "source": "string",
        "user_id": "string",
        "source_artist_id": "string",
        "artist_id": "string",
        "artist": "string",
        "weight": "double",
        **ORIGIN,
    },
)
ARTIST = Entity(
    name="artist",
    key=("source", "source_artist_id"),
    columns={
        "source": "string",
        "source_artist_id": "string",
        "artist_id": "string",
        "name": "string",
        "musicbrainz_id": "string",
        "spotify_id": "string",
        "ticketmaster_id": "string",
        "genres": "string",
        "popularity": "int",
        "followers": "bigint",
        **ORIGIN,
    },
)
VENUE = Entity(
    name="venue",
    key=("source", "source_venue_id"),
    columns={
        "source": "string",
        "source_venue_id": "string",
        "venue_id": "string",
        "name": "string",
        "city": "string",
        "country": "string",
        "latitude": "double",
        "longitude": "double",
        "timezone": "string",
        **ORIGIN,
    },
)
SETLIST = Entity(
    name="setlist",
    key=("source", "setlist_id", "song_position"),
    record=("source", "setlist_id"),
    columns={
        "source": "string",
        "setlist_id": "string",
        "song_position": "int",
        "source_artist_id": "string",
        "artist_id": "string",
        "artist": "string",
        "source_venue_id": "string",
        "venue_id": "string",
        "venue": "string",
        "city": "string",
        "country": "string",
        "event_date": "date",
        "tour": "string",
        "set_name": "string",
        "is_encore": "boolean",
        "song": "string",
        "is_tape": "boolean",
        "cover_of": "string",
        "updated_at": "timestamp",
        **ORIGIN,
    },
)
# What sources deliver, hence what has an account.
ENTITIES = {entity.name: entity for entity in (EVENT, ARTIST, VENUE, SETLIST, BOX_OFFICE, INTERACTION)}

# Derived from the others: how each artist and venue of a run came to its id.
IDENTITY_MATCH = Entity(
    name="identity_match",
    key=("entity", "source", "source_id"),
    columns={
        "entity": "string",
        "source": "string",
        "source_id": "string",
        "name": "string",
        "matched_id": "string",
        "matched_name": "string",
        "rule": "string",
        "score": "double",
        "status": "string",
        "run_id": "string",
    },
)
DATASETS = {**ENTITIES, IDENTITY_MATCH.name: IDENTITY_MATCH}
