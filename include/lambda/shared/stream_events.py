"""The versioned schema of what goes through the stream: interactions of fans, change events of the connectors.

A record names its schema_version; one without is of version 1, which is older than the field. A new version is one more
entry of VERSIONS: records of the old one lie in the stream, in the spill and in the dead letter queue for days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from interactions import Interaction, InvalidInteractionError, check_fields, places_of, time_of

# What may happen to an event between two fetches of a source; the connectors' sources/changes.py sends the same ones.
CHANGE_TYPES = ("event_listed", "price_changed", "rescheduled", "status_changed")
REQUIRED = ("event_id", "type", "concert_id", "occurred_at", "source")


@dataclass(frozen=True)
class ChangeEvent:
    """What a source has changed of a concert; no user stands behind it."""

    event_id: str
    type: str
    concert_id: str
    occurred_at: datetime  # UTC
    source: str
    artist_id: str | None = None  # no source names it: the processor looks it up
    properties: dict[str, Any] | None = None
    schema_version: int = 1

    @classmethod
    def parse(cls, document: Any, arrived: datetime, tolerance: timedelta = timedelta(0)) -> ChangeEvent:
        """:raises InvalidInteractionError: when a field is missing or has a value that it cannot have"""
        check_fields(document, REQUIRED)
        return cls(
            event_id=document["event_id"], type=document["type"], concert_id=document["concert_id"],
            occurred_at=time_of(document["occurred_at"], arrived, tolerance), source=document["source"],
            properties=document.get("properties") or None,
        )  # fmt: skip

    @property
    def places(self) -> list[tuple[str, str]]:
        """Subject and day of each aggregate that the event adds to."""
        return places_of(self.artist_id, self.concert_id, self.occurred_at)


StreamEvent = Interaction | ChangeEvent


def parse(document: Any, arrived: datetime, tolerance: timedelta = timedelta(0)) -> StreamEvent:
    """Judge a record by the schema version that it names.

    :raises InvalidInteractionError: when it breaks a rule of it, or the version is unknown
    """
    version = document.get("schema_version", 1) if isinstance(document, dict) else 1
    read = VERSIONS.get(version) if type(version) is int else None
    if read is None:
        known = ", ".join(map(str, VERSIONS))
        raise InvalidInteractionError(f"schema_version {str(version)[:32]!r} is unknown: this processor reads {known}")
    return read(document, arrived, tolerance)


def _version_one(document: Any, arrived: datetime, tolerance: timedelta) -> StreamEvent:
    is_change = isinstance(document, dict) and document.get("type") in CHANGE_TYPES
    return (ChangeEvent if is_change else Interaction).parse(document, arrived, tolerance)


VERSIONS: dict[int, Callable[[Any, datetime, timedelta], StreamEvent]] = {1: _version_one}
