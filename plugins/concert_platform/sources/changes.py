"""Change events: what a source has changed of an event since its last announced state.

    event_listed       an event that was never announced
    status_changed     its status (onsale, offsale, cancelled, postponed, rescheduled)
    rescheduled        its local date or time
    price_changed      its lowest or highest price, or their currency

The last announced state of each event lies in the ingest-state table (source `_announced#ticketmaster`, item = event
id): state, revision (how often it has changed) and seen_at. What is about to be sent is noted there (`pending_change`)
before it is, and the state advances only after the stream, or its spill, has it. A run that finds something pending,
because another one was killed in between, sends it first, whatever the source says by now. A run that meets the note of
another one at work does the same, and compares its pages once more: no change in between is lost. The id of a change
event is made of the event, the revision that it leads to, its kind and the new state: what is sent again has the same
id, and counts once.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.metrics import publish
from concert_platform.settings import settings
from concert_platform.sources.errors import RefusedError, SourceError
from concert_platform.sources.manifests import RawFile, raw_prefix, read_manifest
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import IngestState, expiry
from concert_platform.streams.kinesis import KinesisProducer, interactions_producer
from concert_platform.streams.records import LONGEST_KEY, SendReport, StreamRecord

SOURCE, ENTITY = "ticketmaster", "event"
EVENTS_PATH = "_embedded.events"
ANNOUNCED = f"_announced#{SOURCE}"
SENT, PENDING = "_stream", "pending_change"
KEPT_AFTER_EVENT = timedelta(days=90)  # from its day on; a listing names no event that is over
KEPT_WITHOUT_DAY = timedelta(days=730)  # since the last change
KEPT_POSITIONS = timedelta(days=30)
SCHEMA_VERSION = 1
MOST_ROUNDS = 5  # of one call, each after another run has changed a row between its reading and the note
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


class AnnouncementContestedError(SourceError):
    """Another run keeps announcing the same events; a retry finds what is left."""


@dataclass(frozen=True)
class Sighting:
    """An event as a page of the source has it."""

    event_id: str
    state: State
    seen_at: str


@dataclass(frozen=True)
class Change:
    """The change events of one event, and the rows of it before they are announced and afterwards."""

    event_id: str
    documents: list[dict[str, Any]]
    row: dict[str, Any]
    before: dict[str, Any]

    @property
    def seen_revision(self) -> int:
        return int(self.before["revision"])


def announce(
    run: IngestRun, *, state: IngestState | None = None, s3: Any = None, producer: KinesisProducer | None = None
) -> dict[str, Any]:
    """Announce what the pages that this run has committed change; a repeated run announces what is left.

    :raises RecordsRefusedError: when the stream takes an event never; the others were announced
    :raises AnnouncementContestedError: when another run was in between each time; what is not announced is left
    """
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    state = state or IngestState()
    producer = producer or interactions_producer()
    reports, counted = _announce_all(run, state, producer, list(sightings(run, state, s3)))
    for report in reports:
        report.raise_for_refused()
    counts = {name: sum(getattr(report, name) for report in reports) for name in ("sent", "spilled", "drained")}
    return {"changes": counted, **counts}


def _announce_all(
    run: IngestRun, state: IngestState, producer: KinesisProducer, found: Sequence[Sighting]
) -> tuple[list[SendReport], int]:
    """Send what is pending and what the pages change, again where another run came in between; reports and changes."""
    reports: list[SendReport] = []
    counted, met = 0, list[str]()
    for _ in range(MOST_ROUNDS):
        known = announced(state)
        if left := [_pending(row) for row in known.values() if PENDING in row]:
            reports.append(_send(run, state, producer, left))
            known = announced(state)
        refused = {record.record.partition_key for report in reports for record in report.refused}
        wanted = [one for one in changed(found, known) if one.event_id not in refused]
        intended = [one for one in wanted if _intend(state, one)]
        reports.append(_send(run, state, producer, intended))
        counted += len(left) + len(intended)
        met = sorted({one.event_id for one in wanted} - {one.event_id for one in intended})
        if not met:
            return reports, counted
    raise AnnouncementContestedError(
        f"{len(met)} events of run {run.run_id} are being announced by another run, the first of them {met[0][:64]!r}: "
        "the retry announces what is left"
    )


def _send(run: IngestRun, state: IngestState, producer: KinesisProducer, changes: Sequence[Change]) -> SendReport:
    """Send changes that are noted as pending, then advance the state of their events."""
    records = (StreamRecord.of(one.event_id, document) for one in changes for document in one.documents)
    report = producer.send(records)
    refused = {record.record.partition_key for record in report.refused}
    _note(state, run, report.positions)
    for one in changes:
        if one.event_id not in refused:
            _remember(state, one)
    publish(report.metrics())
    return report


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
    row_of_it = {**new, "revision": seen + 1, "seen_at": found.seen_at, "expires_at": _expiry(found)}
    never = {"source": ANNOUNCED, "item": found.event_id, "state": "null", "revision": 0, "seen_at": ""}
    return Change(found.event_id, documents, row_of_it, row or {**never, "expires_at": row_of_it["expires_at"]})


def _expiry(found: Sighting) -> int:
    """When the announced state of an event is of no use any more."""
    try:
        return max(expiry(found.state["local_date"], KEPT_AFTER_EVENT), expiry(found.seen_at, KEPT_AFTER_EVENT))
    except (TypeError, ValueError, OverflowError):  # no day yet, or none that exists
        return expiry(found.seen_at, KEPT_WITHOUT_DAY)


def _change_id(found: Sighting, revision: int, kind: str) -> str:
    parts = [SOURCE, found.event_id, revision, kind, found.state]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _properties(kind: str, old: State | None, new: State) -> dict[str, Any]:
    """Flat: the values of a new event, or old and new ones of what has changed."""
    if old is None:
        return {name: value for name, value in new.items() if value is not None}
    return {f"{age}_{name}": state.get(name) for name in KINDS[kind] for age, state in (("old", old), ("new", new))}


def _intend(state: IngestState, change: Change) -> bool:
    """Note what is about to be sent, unless another run has changed the event's row since it was read."""
    if len(change.event_id) > LONGEST_KEY:
        return True  # no key of the table either: the stream refuses it, and the task names it
    pending = json.dumps({"documents": change.documents, "row": change.row}, sort_keys=True)
    return state.put_if(
        {**change.before, PENDING: pending},
        f"attribute_not_exists(revision) OR (revision = :seen AND attribute_not_exists({PENDING}))",
        {":seen": change.seen_revision},
    )


def _pending(row: dict[str, Any]) -> Change:
    """What a run was about to send when it was killed."""
    noted = json.loads(row[PENDING])
    before = {name: value for name, value in row.items() if name != PENDING}
    return Change(row["item"], noted["documents"], noted["row"], before)


def _remember(state: IngestState, change: Change) -> None:
    """Advance the state of an event, unless another run has done so meanwhile."""
    state.put_if(change.row, "attribute_not_exists(revision) OR revision = :seen", {":seen": change.seen_revision})


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
        row = {"source": SENT, "item": item, "positions": last, "noted_at": at}
        state.put_if({**row, "expires_at": expiry(at, KEPT_POSITIONS)})


def sent_by(run_id: str, state: IngestState | None = None) -> dict[str, Any] | None:
    """What an ingest run has noted: ``positions``, shard to the last sequence number, and ``noted_at``.

    :param run_id: slug of the ingest run
    """
    rows = (state or IngestState()).rows(SENT)
    return next((row for row in rows if row["item"].partition("#")[2] == run_id), None)
