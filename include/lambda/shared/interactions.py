"""What an interaction of a fan with an artist or a concert is, on its way through the stream."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

SCHEMA_VERSION = 1  # of what producers send now; stream_events.py has the versions that the processor reads
LONGEST_ID = 128  # characters
# Bytes of the warehouse's columns: a script other than Latin takes up to four a character.
WIDTHS = {"event_id": 128, "user_id": 128, "artist_id": 128, "concert_id": 256, "source": 128}
LONGEST_PROPERTIES = 60_000  # characters of their JSON text, which is ASCII
LONGEST_LEAD = timedelta(minutes=5)  # a clock may be ahead by this much
LONGEST_RETENTION = timedelta(hours=168)  # of the stream; MaxValue of StreamRetentionHours in storage-processing.yaml
LONGEST_DELAY = LONGEST_RETENTION  # an event that waited longer with its sender is refused
# Each type is an attribute of an aggregate, and an item has an end. The API's model takes the same ones.
TYPES = ("attend", "follow", "like", "save", "share", "ticket_click", "view")
REQUIRED = ("event_id", "type", "user_id", "occurred_at")
SUBJECTS = ("artist_id", "concert_id")


class InvalidInteractionError(ValueError):
    """The record breaks a rule; the message names it."""


@dataclass(frozen=True)
class Interaction:
    """One event; its id makes it countable once."""

    event_id: str
    type: str
    user_id: str
    occurred_at: datetime  # UTC
    artist_id: str | None = None
    concert_id: str | None = None
    source: str | None = None
    properties: dict[str, Any] | None = None
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def parse(cls, document: Any, arrived: datetime, tolerance: timedelta = timedelta(0)) -> Interaction:
        """Judge an event by the time of its arrival, so that the verdict is the same whenever it is read again.

        :param tolerance: how long it may have been on its way from where it was judged before
        :raises InvalidInteractionError: when a field is missing or has a value that it cannot have
        """
        check_fields(document, REQUIRED)
        if not any(document.get(name) for name in SUBJECTS):
            raise InvalidInteractionError("artist_id or concert_id is missing")
        if document["type"] not in TYPES:
            raise InvalidInteractionError(f"type is none of {', '.join(TYPES)}")
        return cls(
            event_id=document["event_id"], type=document["type"], user_id=document["user_id"],
            occurred_at=time_of(document["occurred_at"], arrived, tolerance),
            artist_id=document.get("artist_id") or None, concert_id=document.get("concert_id") or None,
            source=document.get("source") or None, properties=document.get("properties") or None,
        )  # fmt: skip

    @property
    def places(self) -> list[tuple[str, str]]:
        """Subject and day of each aggregate that the event adds to."""
        return places_of(self.artist_id, self.concert_id, self.occurred_at)

    def to_document(self) -> dict[str, Any]:
        filled = {name: value for name, value in asdict(self).items() if value is not None}
        return {**filled, "occurred_at": self.occurred_at.isoformat()}


def places_of(artist_id: str | None, concert_id: str | None, occurred_at: datetime) -> list[tuple[str, str]]:
    """``artist#<id>``, ``concert#<id>`` or both, each with the day in UTC."""
    named = {"artist": artist_id, "concert": concert_id}
    return [(f"{kind}#{identity}", occurred_at.date().isoformat()) for kind, identity in named.items() if identity]


def check_fields(document: Any, required: tuple[str, ...]) -> None:
    """What every record of schema version 1 must have.

    :raises InvalidInteractionError: when a required field is missing, or one is of a kind that no column takes
    """
    if not isinstance(document, dict):
        raise InvalidInteractionError("the record is not a JSON object")
    for name in required:
        if document.get(name) in (None, ""):
            raise InvalidInteractionError(f"{name} is missing")
    for name, width in WIDTHS.items():
        _check_id(name, document.get(name), width)
    _check_properties(document.get("properties"))


def _check_id(name: str, value: Any, width: int) -> None:
    if value is None:
        return
    # Half a surrogate pair is JSON, but no table would take it, however often it is tried.
    if not (isinstance(value, str) and len(value) <= LONGEST_ID and value.isprintable()):
        raise InvalidInteractionError(f"{name} is not a text of at most {LONGEST_ID} printable characters")
    if len(value.encode()) > width:
        raise InvalidInteractionError(f"{name} is longer than {width} bytes")


def _check_properties(value: Any) -> None:
    if value is None:
        return
    flat = (str, int, float, bool, type(None))
    if not isinstance(value, dict) or not all(isinstance(one, flat) for one in value.values()):
        raise InvalidInteractionError("properties is not a flat JSON object")
    if len(json.dumps(value)) > LONGEST_PROPERTIES:
        raise InvalidInteractionError(f"properties is longer than {LONGEST_PROPERTIES} characters")


def time_of(value: Any, arrived: datetime, tolerance: timedelta) -> datetime:
    """When an event occurred, in UTC.

    :raises InvalidInteractionError: when it is no time, or none that the stream takes so late or so early
    """
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise InvalidInteractionError("occurred_at is not an ISO 8601 time") from error
    if found.tzinfo is None:
        raise InvalidInteractionError("occurred_at has no time zone")
    try:
        found = found.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInteractionError("occurred_at is not a time that a calendar has") from error
    if found > arrived + LONGEST_LEAD + tolerance:
        raise InvalidInteractionError("occurred_at lies in the future")
    if found < arrived - LONGEST_DELAY - tolerance:
        raise InvalidInteractionError(f"occurred_at lies more than {LONGEST_DELAY.days} days back")
    return found
