"""Records that a throttled stream did not take, in the raw bucket until the next run sends them.

spill/<stream>/<YYYY-MM-DD>/<time>-<number>.jsonl.gz, a JSON document {"partition_key", "data"} a line, data in base64.
The keys of the objects sort by the time at which they were written, and the lines of one are in the order of sending.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from concert_platform.settings import settings
from concert_platform.streams.records import StreamError, StreamRecord

MOST_RECORDS = 10_000  # of one object
LARGEST_OBJECT = 16 * 2**20  # bytes of its records


class SpillUnreadableError(StreamError):
    """An object of the spill is not what a producer writes."""


class Spill:
    """The spill of one stream.

    :param now: UTC time, which names the objects to the microsecond
    """

    def __init__(
        self, stream: str, *, s3: Any = None, bucket: str | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        if s3 is None:
            import boto3

            s3 = boto3.client("s3")
        self.s3, self.bucket = s3, bucket or settings().raw_bucket
        self.prefix = f"spill/{stream}/"
        self._now = now or (lambda: datetime.now(UTC))

    def write(self, records: Iterable[StreamRecord]) -> int:
        """Keep records in their order; returns their number. A record counts as kept once its object is written."""
        lines: list[str] = []
        size = written = number = 0
        started = self._now()
        for record in records:
            lines.append(json.dumps({
                "partition_key": record.partition_key, "data": base64.b64encode(record.data).decode(),
            }))  # fmt: skip
            size += record.size
            if len(lines) >= MOST_RECORDS or size >= LARGEST_OBJECT:
                self._put(started, number, lines)
                written, number, lines, size = written + len(lines), number + 1, [], 0
        if lines:
            self._put(started, number, lines)
        return written + len(lines)

    def waiting(self) -> list[str]:
        """Keys of what waits, oldest first."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def read(self, key: str) -> Iterator[StreamRecord]:
        """The records of an object; none when somebody else has drained it since it was listed.

        :raises SpillUnreadableError: when it is none of a producer
        """
        from botocore.exceptions import ClientError

        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            return
        try:
            documents = [json.loads(line) for line in gzip.decompress(body).splitlines()]
            records = [StreamRecord(one["partition_key"], base64.b64decode(one["data"])) for one in documents]
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise SpillUnreadableError(
                f"s3://{self.bucket}/{key} is no object of the spill ({type(error).__name__}): move it away, "
                "the records behind it wait"
            ) from error
        yield from records

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def _put(self, started: datetime, number: int, lines: list[str]) -> None:
        key = f"{self.prefix}{started:%Y-%m-%d}/{started:%Y%m%dT%H%M%S.%f}-{number:06d}.jsonl.gz"
        body = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
