"""The curated datasets: their columns, in the order of the files, the catalogue and the warehouse, and their keys."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entity:
    """One curated dataset.

    :param columns: name -> Spark type
    :param key: columns of which a combination is one row of a run
    """

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]

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
ENTITIES = {entity.name: entity for entity in (EVENT, BOX_OFFICE, INTERACTION)}
