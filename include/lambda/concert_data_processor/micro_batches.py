"""Micro-batches: what was taken of a batch of the stream, as one object of the raw bucket, for load_stream.

stream/dt=<day>/<hour>/<shard>-<first sequence number>.jsonl.gz, by the arrival of the first record in the stream. The
key follows from the records alone, so that a batch that comes again overwrites what its first try has left; the content
does too, but for the artists that were looked up. A record that is poison and too large for a dead letter lies beside
them, as <shard>-<sequence number>.poison.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from datetime import UTC, datetime
from typing import Any

from clients import client
from stream_events import StreamEvent


def write(taken: list[tuple[dict[str, Any], StreamEvent]], first: dict[str, Any], last: dict[str, Any]) -> str:
    """Write the events that were taken, duplicates too: the warehouse counts each once, and accounts for the others.

    :param taken: record of the stream and the event in it
    :param first: first record of the batch, which names the object
    :param last: last record that was dealt with; whoever waits for a record looks for it in the metadata
    :raises ClientError: when S3 does not take the object
    """
    key = key_of(first)
    lines = "".join(json.dumps(line(record, event, key)) + "\n" for record, event in taken)
    client("s3").put_object(
        Bucket=os.environ["RAW_BUCKET"], Key=key, Body=gzip.compress(lines.encode(), compresslevel=6, mtime=0),
        Metadata={"records": str(len(taken)), "last-sequence-number": last["kinesis"]["sequenceNumber"]},
    )  # fmt: skip
    return key


def write_poison(record: dict[str, Any]) -> str:
    """Keep a record that is too large for its dead letter beside the micro-batches, as it came; returns its key.

    :raises ClientError: when S3 does not take the object
    """
    key = key_of(record, ".poison")
    client("s3").put_object(Bucket=os.environ["RAW_BUCKET"], Key=key, Body=base64.b64decode(record["kinesis"]["data"]))
    return key


def key_of(record: dict[str, Any], ending: str = ".jsonl.gz") -> str:
    shard = record["eventID"].partition(":")[0]
    return f"stream/dt={arrival(record):%Y-%m-%d/%H}/{shard}-{record['kinesis']['sequenceNumber']}{ending}"


def arrival(record: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC)


def line(record: dict[str, Any], event: StreamEvent, key: str) -> dict[str, Any]:
    """An event as COPY reads it: a value a column, times in UTC without a zone."""
    properties = None if event.properties is None else json.dumps(event.properties, sort_keys=True)
    return {
        "event_id": event.event_id,
        "schema_version": event.schema_version,
        "type": event.type,
        "user_id": getattr(event, "user_id", None),
        "artist_id": getattr(event, "artist_id", None),
        "concert_id": event.concert_id,
        "occurred_at": event.occurred_at.replace(tzinfo=None).isoformat(" ", "microseconds"),
        "event_date": event.occurred_at.date().isoformat(),
        "source": event.source,
        "properties": properties,
        "received_at": arrival(record).replace(tzinfo=None).isoformat(" ", "microseconds"),
        "object_name": key,
    }
