"""Producer of a Kinesis stream: batches, order per partition key, retries of what failed, a spill when it throttles.

PutRecords keeps no order when some records of a request fail. A request therefore holds at most one record of each
partition key, the oldest that the stream has not taken; the later ones of that key wait for it. A producer reads no
further ahead than MOST_WAITING records or LARGEST_WAITING bytes, so that a slow stream slows down its source.

When the stream takes nothing for `patience` seconds, the records that wait and all that follow in the same call go to
the spill (spill.py), in their order. The next call sends the spill first: order holds across runs too. A record may
reach the stream twice, when an answer was lost or a run was killed; it counts once by its event id.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from concert_platform.metrics import publish
from concert_platform.settings import settings
from concert_platform.streams.records import (
    LARGEST_REQUEST,
    MOST_RECORDS,
    RefusedRecord,
    SendReport,
    StreamError,
    StreamRecord,
    StreamRefusesError,
    StreamStalledError,
)
from concert_platform.streams.spill import Spill

MOST_WAITING = 4 * MOST_RECORDS  # records in memory
LARGEST_WAITING = 4 * LARGEST_REQUEST  # bytes in memory
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds before a retry; doubled each time, cut by a random part
PATIENCE = 30.0  # seconds without a record taken after which the stream is taken as throttled for long

# Of a single record, or of the request as a whole. Any other code of a request will not pass by itself.
PASSING = frozenset({
    "InternalFailure", "InternalFailureException", "KMSThrottlingException", "LimitExceededException",
    "ProvisionedThroughputExceededException", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling",
    "ThrottlingException",
})  # fmt: skip

log = logging.getLogger(__name__)


class _StalledError(StreamError):
    """The stream took nothing for as long as the producer waits."""


class KinesisProducer:
    """Sends records to one stream.

    :param stream: name of the stream
    :param spill: where records wait while the stream throttles; None lets `send` raise StreamStalledError instead
    :param patience: seconds without progress after which a stream counts as throttled for long
    """

    def __init__(
        self,
        stream: str,
        *,
        spill: Spill | None,
        client: Any = None,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream, self.spill, self.patience = stream, spill, patience
        self._client = client or _kinesis()
        self._sleep, self._clock = sleep, clock

    def send(self, records: Iterable[StreamRecord]) -> SendReport:
        """Send the spill of earlier runs, then these records; the report says what became of each.

        :raises StreamRefusesError: when the stream takes nothing before somebody acts; the caller keeps the records
        :raises StreamStalledError: when it throttles for long, and there is no spill
        """
        report = SendReport()
        accepted = self._accepted(records, report)
        if not self.drain(report):
            self._spill(accepted, report)
            return report
        waiting = _Waiting(accepted)
        try:
            report.sent += self._send(waiting, report)
        except _StalledError as error:
            report.sent += waiting.taken
            if self.spill is None:
                raise StreamStalledError(f"{error}: {report.sent} records were taken, the others were not") from None
            log.warning("%s: what is left goes to the spill", error)
            self._spill(waiting.rest(), report)
        return report

    def drain(self, report: SendReport | None = None) -> bool:
        """Send what earlier runs have spilled, oldest first; whether nothing is left.

        An object is deleted once all its records were taken: after a kill they are sent again.
        """
        report = report if report is not None else SendReport()
        if self.spill is None:
            return True
        for key in self.spill.waiting():
            waiting = _Waiting(self.spill.read(key))
            try:
                report.drained += self._send(waiting, report)
            except _StalledError as error:
                log.warning("%s: the spill of %s keeps %s", error, self.stream, key)
                return False
            self.spill.delete(key)
        return True

    def _accepted(self, records: Iterable[StreamRecord], report: SendReport) -> Iterator[StreamRecord]:
        for record in records:
            if reason := record.refusal:
                log.error("a record of key %r is refused: %s", record.partition_key[:64], reason)
                report.refused.append(RefusedRecord(record, reason))
            else:
                yield record

    def _spill(self, records: Iterable[StreamRecord], report: SendReport) -> None:
        if self.spill is not None:
            report.spilled += self.spill.write(records)

    def _send(self, waiting: _Waiting, report: SendReport) -> int:
        """Send until nothing waits; the number of records taken.

        :raises _StalledError: when nothing was taken for as long as the producer waits
        """
        failures, progress_at = 0, self._clock()
        while batch := waiting.batch():
            results = self._put(batch, report)
            taken = [record for record, ok in zip(batch, results, strict=True) if ok]
            waiting.took(taken)
            if taken:
                failures, progress_at = 0, self._clock()
            if len(taken) == len(batch):
                continue
            report.retries += len(batch) - len(taken)
            if self._clock() - progress_at >= self.patience:
                codes = ", ".join(sorted(report.errors))
                raise _StalledError(f"stream {self.stream} took nothing for {self.patience:.0f} s ({codes})")
            failures += 1
            # A random part of the wait, so that producers that were throttled together do not come back together.
            longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 16))
            self._sleep(random.uniform(FIRST_WAIT, longest))  # noqa: S311 - no secret
        return waiting.taken

    def _put(self, batch: list[StreamRecord], report: SendReport) -> list[bool]:
        """One request; whether the stream took each record.

        :raises StreamRefusesError: when trying again will not help
        """
        from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

        entries = [{"Data": record.data, "PartitionKey": record.partition_key} for record in batch]
        report.requests += 1
        try:
            answers = self._client.put_records(StreamName=self.stream, Records=entries)["Records"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in PASSING and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) < 500:
                raise StreamRefusesError(
                    f"stream {self.stream} refuses records ({code}): {error.response['Error'].get('Message', '')}; "
                    "look at the stream, its key and the permissions of this role, then run the task again"
                ) from error
            report.errors[code] += len(batch)
            return [False] * len(batch)
        except (
            ConnectionError,
            HTTPClientError,
        ) as error:  # the request may have arrived: sending it again is harmless
            report.errors[type(error).__name__] += len(batch)
            return [False] * len(batch)
        for record, answer in zip(batch, answers, strict=True):
            if code := answer.get("ErrorCode"):
                report.errors[code] += 1
            else:
                report.bytes += record.size
                report.took(answer["ShardId"], answer["SequenceNumber"])
        return ["ErrorCode" not in answer or answer["ErrorCode"] is None for answer in answers]


class _Waiting:
    """Records that the stream has not taken, by partition key and in order; reads ahead no more than it may."""

    def __init__(self, records: Iterable[StreamRecord]) -> None:
        self._source = iter(records)
        self._queues: dict[str, deque[tuple[int, StreamRecord]]] = {}  # a key that comes first is older
        self._count = self._bytes = self._number = self.taken = 0

    def batch(self) -> list[StreamRecord]:
        """The oldest record of each key, as far as one request takes them."""
        self._fill()
        found: list[StreamRecord] = []
        size = 0
        for queue in self._queues.values():
            record = queue[0][1]
            if len(found) == MOST_RECORDS or size + record.size > LARGEST_REQUEST:
                break
            found.append(record)
            size += record.size
        return found

    def took(self, records: list[StreamRecord]) -> None:
        for record in records:
            queue = self._queues.pop(record.partition_key)
            queue.popleft()
            if queue:
                self._queues[record.partition_key] = queue  # behind the others, which have waited longer
            self._count, self._bytes, self.taken = self._count - 1, self._bytes - record.size, self.taken + 1

    def rest(self) -> Iterator[StreamRecord]:
        """All that was not taken, in the order in which it came."""
        read = sorted(numbered for queue in self._queues.values() for numbered in queue)
        return chain((record for _, record in read), self._source)

    def _fill(self) -> None:
        while self._count < MOST_WAITING and self._bytes < LARGEST_WAITING:
            record = next(self._source, None)
            if record is None:
                return
            self._queues.setdefault(record.partition_key, deque()).append((self._number, record))
            self._number += 1
            self._count, self._bytes = self._count + 1, self._bytes + record.size


def interactions_producer(*, with_spill: bool = True) -> KinesisProducer:
    """The producer of the platform's stream, under the role of the task."""
    stream = settings().interaction_stream
    return KinesisProducer(stream, spill=Spill(stream) if with_spill else None)


def drain_spill() -> int:
    """Send what waits in the spill of the platform's stream; the number of records that it took."""
    report = interactions_producer().send([])
    publish(report.metrics())
    return report.drained


def _kinesis() -> Any:
    import boto3
    from botocore.config import Config

    # Retries are ours: those of the client would repeat whole requests, records that were taken too.
    return boto3.client(
        "kinesis",
        config=Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 1}),
    )
