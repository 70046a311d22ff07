"""The objects that the stream's function writes: stream/dt=<day>/<hour>/<shard>-<first sequence number>.jsonl.gz.

Day and hour are those at which the first record of the batch arrived in the stream, so a batch that waited for a
service to come back lies under an hour that is long past. No Airflow import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.settings import settings

PREFIX, ENDING = "stream/dt=", ".jsonl.gz"
# A batch is tried again for 12 hours (MaximumRecordAgeInSeconds of the event source mapping), then it is given up.
LATEST = timedelta(hours=14)


@dataclass(frozen=True)
class MicroBatch:
    """One object, as a listing has it."""

    key: str
    etag: str
    modified_at: datetime
    bytes: int

    @property
    def shard(self) -> str:
        return self.key.rsplit("/", 1)[-1].rpartition("-")[0]

    @property
    def first(self) -> int:
        """Sequence number of the batch's first record; 0 for a key that no function writes."""
        number = self.key.removesuffix(ENDING).rpartition("-")[2]
        return int(number) if number.isdigit() else 0


def listed(s3: Any, since: datetime | None, bucket: str | None = None) -> Iterator[MicroBatch]:
    """Micro-batches of an hour and of the ones after it, in the order of their hours; all without an hour."""
    start = f"{PREFIX}{since:%Y-%m-%d/%H}/" if since else PREFIX
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket or settings().raw_bucket, Prefix=PREFIX, StartAfter=start
    )
    for page in pages:
        for entry in page.get("Contents", []):
            if not entry["Key"].endswith(ENDING):
                continue  # a record that was too large for its dead letter
            modified = entry["LastModified"].astimezone(UTC)
            yield MicroBatch(entry["Key"], entry["ETag"].strip('"'), modified, entry["Size"])


def is_consumed(positions: dict[str, str], noted_at: datetime, s3: Any = None) -> bool:
    """Whether the stream's function has dealt with all records up to these positions.

    A shard is read in order: an object that begins behind a position says so, or one whose metadata reaches it.

    :param positions: shard to sequence number
    :param noted_at: when they were noted, at most an hour after the records were sent
    """
    if not positions:
        return True
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    bucket = settings().raw_bucket
    newest: dict[str, MicroBatch] = {}
    for one in listed(s3, noted_at - timedelta(hours=2), bucket):
        if one.shard in positions and (one.shard not in newest or one.first > newest[one.shard].first):
            newest[one.shard] = one
    return all(shard in newest and _reaches(s3, bucket, newest[shard], int(end)) for shard, end in positions.items())


def _reaches(s3: Any, bucket: str, batch: MicroBatch, position: int) -> bool:
    if batch.first >= position:
        return True
    metadata = s3.head_object(Bucket=bucket, Key=batch.key)["Metadata"]
    return int(metadata.get("last-sequence-number", "0")) >= position
