"""What a producer sends, what became of it, and the limits that Kinesis sets. No Airflow import."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST_RECORD = 2**20  # bytes of data and partition key
LARGEST_REQUEST = 5 * 2**20  # bytes of one PutRecords
MOST_RECORDS = 500  # of one PutRecords
LONGEST_KEY = 256  # characters of a partition key


class StreamError(RuntimeError):
    """The stream did not take records; the message says which, why and what to do."""


class StreamRefusesError(StreamError):
    """The stream will not take the records before somebody acts: no permission, no such stream, a disabled key."""


class StreamStalledError(StreamError):
    """The stream throttled for longer than the producer waits, and the records may not be spilled."""


class RecordsRefusedError(StreamError):
    """Records that no stream takes; the others were sent."""


@dataclass(frozen=True)
class StreamRecord:
    """One record; those of one partition key arrive in the order in which they were sent."""

    partition_key: str
    data: bytes

    @classmethod
    def of(cls, partition_key: str, document: Mapping[str, Any]) -> StreamRecord:
        return cls(partition_key, json.dumps(document, separators=(",", ":")).encode())

    @property
    def size(self) -> int:
        return len(self.data) + len(self.partition_key.encode())

    @property
    def refusal(self) -> str | None:
        """Why Kinesis takes the record never; None when it does."""
        if not 1 <= len(self.partition_key) <= LONGEST_KEY:
            return f"its partition key has {len(self.partition_key)} characters: 1 to {LONGEST_KEY} are allowed"
        if not self.data:
            return "it is empty"
        if self.size > LARGEST_RECORD:
            return f"it has {self.size:,} bytes with its key: a record takes {LARGEST_RECORD:,}"
        return None


@dataclass(frozen=True)
class RefusedRecord:
    """A record that was not sent, and why."""

    record: StreamRecord
    reason: str


@dataclass
class SendReport:
    """What became of the records of one call.

    :param sent: records that the stream took, those of the spill not counted
    :param spilled: records that wait in the spill for the next run
    :param drained: records of earlier runs' spill that the stream took
    :param retries: tries of single records that failed and were repeated
    :param positions: shard to the sequence number of the last record that it took
    """

    sent: int = 0
    spilled: int = 0
    drained: int = 0
    retries: int = 0
    requests: int = 0
    bytes: int = 0
    refused: list[RefusedRecord] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    positions: dict[str, str] = field(default_factory=dict)

    def took(self, shard: str, sequence_number: str) -> None:
        if int(sequence_number) > int(self.positions.get(shard, "0")):
            self.positions[shard] = sequence_number

    def raise_for_refused(self) -> None:
        """:raises RecordsRefusedError: when a record was refused, with the first of them and its reason"""
        if self.refused:
            first = self.refused[0]
            raise RecordsRefusedError(
                f"{len(self.refused)} records refused; the first, of key {first.record.partition_key[:64]!r}: "
                f"{first.reason}; mend its producer, the others were sent"
            )

    def metrics(self) -> dict[str, float]:
        """Counts by the name of their CloudWatch metric."""
        return {
            "StreamRecordsSent": self.sent,
            "StreamRecordsSpilled": self.spilled,
            "StreamRecordsDrained": self.drained,
            "StreamRecordsRetried": self.retries,
            "StreamRecordsRefused": len(self.refused),
        }
