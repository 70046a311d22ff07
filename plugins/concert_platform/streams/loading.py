"""Which micro-batches load_stream brings into the warehouse, and how far it has come. No Airflow import.

quality.stream_object says which versions of which objects are loaded. So that a run with nothing new need not wake the
warehouse, the ingest-state table (source `_stream_load`) keeps the watermark of the last load, which is the newest
LastModified that it took, and a fingerprint of the objects around it. Both may be lost: the warehouse knows better.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.state import IngestState
from concert_platform.streams.micro_batches import LATEST, MicroBatch, listed
from concert_platform.warehouse import query
from concert_platform.warehouse.migrations import pending_migrations

WATERMARK = {"source": "_stream_load", "item": "watermark"}
MARGIN = timedelta(minutes=15)  # before the watermark: an object may become visible after one that is newer
MOST_OBJECTS = 5000  # of one load; the next run takes the rest
# In the order of the transaction.
FILES = (
    "stream/lock.sql",
    "stream/stage.sql",
    "stream/classify.sql",
    "stream/count.sql",
    "stream/quarantine.sql",
    "stream/merge_*.sql",
    "stream/record_objects.sql",
    "stream/audit.sql",
    "stream/drop_stage.sql",
)
LOADED_SQL = "SELECT object_name, etag FROM quality.stream_object WHERE modified_at >= CAST(:oldest AS TIMESTAMP)"


class SchemaMissingError(RuntimeError):
    """The warehouse lacks migrations, which load_warehouse applies."""


def find(run_id: str, dt: str, *, state: IngestState | None = None, s3: Any = None) -> dict[str, Any] | None:
    """Values for the files of one load; None when nothing is new.

    :param run_id: slug of the run; the load's own adds eight digits of its objects, so that a run that is cleared and
        finds others has another account
    :param dt: day of the load
    :raises SchemaMissingError: before the first run of load_warehouse, and before the first one after an upgrade
    """
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    state = state or IngestState()
    last = _last_mark(state)
    since = datetime.fromisoformat(last["modified_at"]) if last else None
    seen = [one for one in listed(s3, since - LATEST if since else None) if _is_recent(one, since)]
    if last and last["fingerprint"] == fingerprint(seen):
        return None
    if pending := pending_migrations():
        # Two DAGs that apply migrations would get into each other's way, so that one of them does.
        raise SchemaMissingError(
            f"the warehouse lacks {len(pending)} migrations from {pending[0].file} on: load_warehouse applies them, "
            "and the next run loads what waits"
        )
    known = loaded(since)
    new = sorted((one for one in seen if (one.key, one.etag) not in known), key=lambda one: (one.modified_at, one.key))
    taken = new[:MOST_OBJECTS]
    newest = max([one.modified_at for one in taken or seen] + ([since] if since else []), default=None)
    if newest is None:
        return None
    is_whole = len(taken) == len(new)
    mark = {
        "modified_at": newest.isoformat(),
        "fingerprint": fingerprint(one for one in seen if _is_recent(one, newest)) if is_whole else "",
    }
    if not taken:  # a load was committed and killed before it could say so
        confirm(mark, state)
        return None
    load_id = f"{run_id}-{fingerprint(taken)[:8]}"  # at most 116 characters, of 128 that the warehouse takes
    return {
        "run_id": load_id,
        "dt": dt,
        "objects": len(taken),
        "bytes": sum(one.bytes for one in taken),
        **_write_lists(s3, load_id, taken),
        **mark,
    }


def confirm(load: dict[str, Any], state: IngestState | None = None) -> None:
    """Move the watermark, now that the load is committed."""
    state = state or IngestState()
    state.put_if({**WATERMARK, "modified_at": load["modified_at"], "fingerprint": load["fingerprint"]})


def loaded(since: datetime | None) -> set[tuple[str, str]]:
    """Key and ETag of the objects that the warehouse has, as far back as a new one may be."""
    oldest = (since - MARGIN if since else datetime(1970, 1, 1, tzinfo=UTC)).replace(tzinfo=None).isoformat(" ")
    return {(key, etag) for key, etag in query(LOADED_SQL, oldest=oldest)}


def fingerprint(batches: Iterable[MicroBatch]) -> str:
    """The same for the same versions of the same objects."""
    return hashlib.sha256("\n".join(sorted(f"{one.key} {one.etag}" for one in batches)).encode()).hexdigest()


def _is_recent(one: MicroBatch, since: datetime | None) -> bool:
    return since is None or one.modified_at >= since - MARGIN


def _last_mark(state: IngestState) -> dict[str, Any] | None:
    return next((row for row in state.rows(WATERMARK["source"]) if row["item"] == WATERMARK["item"]), None)


def _write_lists(s3: Any, run_id: str, batches: list[MicroBatch]) -> dict[str, str]:
    """The manifest that COPY reads, and the objects as rows; under the same keys when the task is repeated."""
    bucket = settings().raw_bucket
    prefix = f"stream/_loads/run={run_id}"
    entries = [{"url": f"s3://{bucket}/{one.key}", "mandatory": True} for one in batches]
    rows = [
        {"object_name": one.key, "etag": one.etag, "bytes": one.bytes,
         "modified_at": one.modified_at.replace(tzinfo=None).isoformat(" ", "microseconds")}
        for one in batches
    ]  # fmt: skip
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/manifest.json", Body=json.dumps({"entries": entries}).encode())
    s3.put_object(Bucket=bucket, Key=f"{prefix}/objects.jsonl.gz", Body=gzip.compress(lines.encode(), mtime=0))
    return {
        "manifest_uri": f"s3://{bucket}/{prefix}/manifest.json",
        "objects_uri": f"s3://{bucket}/{prefix}/objects.jsonl.gz",
    }
