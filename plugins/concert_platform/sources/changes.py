"""Change events: what a source has changed of an event since its last announced state.

    event_listed       an event that was never announced
    status_changed     its status (onsale, offsale, cancelled, postponed, rescheduled)
    rescheduled        its local date or time
    price_changed      its lowest or highest price, or their currency

The last announced state of each event lies in the ingest-state table (source `_announced#ticketmaster`, item = event
id): state, revision (how often it has changed) and seen_at. The id of a change event is made of the event, the revision
that it leads to, its kind and the new state: whoever finds the same change again, after a kill or in a later run, sends
the same id, which counts once. The state advances only after the stream, or its spill, has the event.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from concert_platform.metrics import publish
from concert_platform.settings import settings
from concert_platform.sources.errors import RefusedError
from concert_platform.sources.manifests import RawFile, raw_prefix, read_manifest
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import IngestState
from concert_platform.streams.kinesis import KinesisProducer, interactions_producer
from concert_platform.streams.records import StreamRecord

SOURCE, ENTITY = "ticketmaster", "event"
EVENTS_PATH = "_embedded.events"
ANNOUNCED = f"_announced#{SOURCE}"
SENT = "_stream"
SCHEMA_VERSION = 1
KINDS = {
    "status_changed": ("status",),
    "rescheduled": ("local_date", "local_time"),
    "price_changed": ("price_min", "price_max", "currency"),
}
FIELDS = tuple(name for names in KINDS.values() for name in names)

State = dict[str, Any]
log = logging.getLogger(__name__)


class PageUnreadableError(RefusedError):
    """A page of the raw bucket is no JSON of the source."""


@dataclass(frozen=True)
class Sighting:
    """An event as a page of the source has it."""

    event_id: str
    state: State
    seen_at: str


@dataclass(frozen=True)
class Change:
    """The change events of one event, and the row that says that they were announced."""

    event_id: str
    documents: list[dict[str, Any]]
    row: dict[str, Any]
    seen_revision: int


def announce(
    run: IngestRun, *, state: IngestState | None = None, s3: Any = None, producer: KinesisProducer | None = None
) -> dict[str, Any]:
    """Announce what the pages that this run has committed change; a repeated run announces what is left.

    :raises RecordsRefusedError: when the stream takes an event never; the others were announced
    """
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    state = state or IngestState()
    producer = producer or interactions_producer()
    changes = list(changed(sightings(run, state, s3), announced(state)))
    records = (StreamRecord.of(one.event_id, document) for one in changes for document in one.documents)
    report = producer.send(records)
    refused = {record.record.partition_key for record in report.refused}
    _note(state, run, report.positions)
    for one in changes:
        if one.event_id not in refused:
            _remember(state, one)
    publish(report.metrics())
    report.raise_for_refused()
    return {"changes": len(changes), "sent": report.sent, "spilled": report.spilled, "drained": report.drained}


def sightings(run: IngestRun, state: IngestState, s3: Any) -> Iterator[Sighting]:
    """The events of the pages that a run has committed, in the order of the pages; none when it has committed none."""
    key = f"{raw_prefix(SOURCE, ENTITY, run)}/manifest.json"
    committed = state.run(run)
    if committed is None or key not in committed.manifests:
        return
    bucket = settings().raw_bucket
    for file in read_manifest(s3, bucket, key).files:
        for event in _events(s3, bucket, file):
            if isinstance(event, dict) and isinstance(event.get("id"), str) and event["id"]:
                yield Sighting(event["id"], state_of(event), file.delivered_at)
            else:
                log.warning("%s has an event without an id: curation rejects it, and nothing is announced", file.key)


def _events(s3: Any, bucket: str, file: RawFile) -> list[Any]:
    try:
        found: Any = json.loads(s3.get_object(Bucket=bucket, Key=file.key)["Body"].read())
    except ValueError as error:
        raise PageUnreadableError(
            f"s3://{bucket}/{file.key} is no JSON ({error}): remove the page from the state to have it delivered again"
        ) from error
    for name in (file.records_path or EVENTS_PATH).split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def state_of(event: dict[str, Any]) -> State:
    """What of an event is watched; None for what the source does not say."""
    start, price = _get(event, "dates", "start"), _price(event.get("priceRanges"))
    return {
        "status": _text(_get(event, "dates", "status", "code")),
        "local_date": _text(_get(start, "localDate")),
        "local_time": _text(_get(start, "localTime")),
        "price_min": _text(_get(price, "min")),
        "price_max": _text(_get(price, "max")),
        "currency": _text(_get(price, "currency")),
    }


def _price(ranges: Any) -> Any:
    """The standard price, else the first one, as curation takes it."""
    found = [one for one in ranges if isinstance(one, dict)] if isinstance(ranges, list) else []
    return next((one for one in found if one.get("type") == "standard"), found[0] if found else None)


def _get(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    """Numbers as text: 49.5 and 49.50 of two answers are one price."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return f"{value:.2f}" if isinstance(value, int | float) else value[:256] or None


def announced(state: IngestState) -> dict[str, dict[str, Any]]:
    """Last announced row of each event."""
    return {row["item"]: row for row in state.rows(ANNOUNCED)}


def changed(found: Iterable[Sighting], known: dict[str, dict[str, Any]]) -> Iterator[Change]:
    """The changes in a run's sightings; of an event that two pages hold, the later one decides.

    A page that is older than what was announced changes nothing: a run of an earlier day may be repeated.
    """
    latest = {one.event_id: one for one in found}
    for one in latest.values():
        row = known.get(one.event_id)
        if row is not None and (row["seen_at"] > one.seen_at or json.loads(row["state"]) == one.state):
            continue
        yield _change(one, row)


def _change(found: Sighting, row: dict[str, Any] | None) -> Change:
    seen = int(row["revision"]) if row else 0
    old: State | None = json.loads(row["state"]) if row else None
    kinds = ["event_listed"] if old is None else [
        kind for kind, names in KINDS.items() if any(old.get(name) != found.state[name] for name in names)
    ]  # fmt: skip
    documents = [
        {
            "event_id": _change_id(found, seen + 1, kind),
            "schema_version": SCHEMA_VERSION,
            "type": kind,
            "concert_id": found.event_id,
            "occurred_at": found.seen_at,
            "source": SOURCE,
            "properties": _properties(kind, old, found.state),
        }
        for kind in kinds
    ]
    new = {"source": ANNOUNCED, "item": found.event_id, "state": json.dumps(found.state, sort_keys=True)}
    return Change(found.event_id, documents, {**new, "revision": seen + 1, "seen_at": found.seen_at}, seen)


def _change_id(found: Sighting, revision: int, kind: str) -> str:
    parts = [SOURCE, found.event_id, revision, kind, found.state]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _properties(kind: str, old: State | None, new: State) -> dict[str, Any]:
    """Flat: the values of a new event, or old and new ones of what has changed."""
    if old is None:
        return {name: value for name, value in new.items() if value is not None}
    return {f"{age}_{name}": state.get(name) for name in KINDS[kind] for age, state in (("old", old), ("new", new))}


def _remember(state: IngestState, change: Change) -> None:
    """Advance the state of an event, unless another run has done so meanwhile."""
    state.put_if(
        change.row,
        "attribute_not_exists(revision) OR revision = :seen",
        {":seen": change.seen_revision},
    )


def _note(state: IngestState, run: IngestRun, positions: dict[str, str]) -> None:
    """Keep how far into each shard a run has written: whoever waits for its events waits for these positions.

    A repeated run adds to what its earlier tries have noted: the last position of each shard stands.
    """
    item = f"{run.dt}#{run.run_id}"
    noted = next((row for row in state.rows(SENT) if row["item"] == item), None)
    last = dict(noted["positions"]) if noted else {}
    for shard, position in positions.items():
        last[shard] = max(last.get(shard, "0"), position, key=int)
    if noted is None or last != noted["positions"]:
        at = (
            noted["noted_at"] if noted else datetime.now(UTC).isoformat()
        )  # the earliest: objects are sought from it on
        state.put_if({"source": SENT, "item": item, "positions": last, "noted_at": at})


def sent_by(run_id: str, state: IngestState | None = None) -> dict[str, Any] | None:
    """What an ingest run has noted: ``positions``, shard to the last sequence number, and ``noted_at``.

    :param run_id: slug of the ingest run
    """
    rows = (state or IngestState()).rows(SENT)
    return next((row for row in rows if row["item"].partition("#")[2] == run_id), None)
