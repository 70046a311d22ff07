"""Kinesis feeds functions as on AWS: a reader a shard, in order, with retries, bisection and failure records.

ministack reads all mappings in one thread, by index, and tries a failed batch for ever. Here the place in a shard is a
sequence number, and the batches that are not done lie beside it, so that a restarted emulator goes on with them.
"""

from __future__ import annotations

import bisect
import itertools
import json
import logging
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from ministack.core import concurrency
from ministack.core.arn import parse_arn
from ministack.core.responses import get_region, request_scope
from ministack.services import cloudwatch, kinesis, lambda_svc
from ministack.services.cloudformation import provisioners

from local.extensions import registry

Record = dict[str, Any]
Properties = dict[str, Any]

POLL_SECONDS = 0.05
THROTTLED_PAUSE, SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 0.2, 30.0  # seconds; AWS tells only that they grow
LARGEST_EVENT = 6 * 1024 * 1024  # bytes of a synchronous invocation
WHOLE_BATCH = -1
number = itemgetter("SequenceNumber")
arrival = itemgetter("ApproximateArrivalTimestamp")
logger = logging.getLogger("stream-consumers")

# ---------------------------------------------------------------- places in a stream


class Batch(NamedTuple):
    """Records of a shard that a function has to take, by sequence numbers; `failures` counts against its retries."""

    first: str
    last: str
    failures: int = 0

    def records(self, shard: list[Record]) -> list[Record]:
        start = bisect.bisect_left(shard, self.first, key=number)
        return shard[start : bisect.bisect_right(shard, self.last, key=number)]


class Place(NamedTuple):
    """How far a mapping has read a shard, and what of that is not done. Never changed: a saver may look at any time."""

    after: str = ""
    batches: tuple[Batch, ...] = ()

    @classmethod
    def restored(cls, kept: Any) -> Place:
        return cls(kept[0], tuple(Batch(*batch) for batch in kept[1]))


def _stream(arn: str) -> Properties | None:
    spec = parse_arn(arn)
    name = lambda_svc._kinesis_stream_name_from_arn_spec(spec)
    return kinesis._streams.get_scoped(spec.account_id, spec.region, name) if name else None


def _begin(mapping_id: str, arn: str, starting: str) -> None:
    """LATEST is what comes after the mapping was made, not after its first read."""
    shards = (_stream(arn) or {"shards": {}})["shards"]
    ends = {key: number(shard["records"][-1]) for key, shard in shards.items() if shard["records"]}
    lambda_svc._kinesis_positions[mapping_id] = {
        key: Place(ends.get(key, "") if starting == "LATEST" else "") for key in shards
    }
    concurrency.esm_wake.set()


_original_begin = lambda_svc._init_stream_position


def begin(mapping_id: str, arn: str, starting: str) -> None:
    _original_begin(mapping_id, arn, starting)
    if ":kinesis:" in arn:
        _begin(mapping_id, arn, starting)


# ---------------------------------------------------------------- reading a shard

_readers: set[tuple[str, str]] = set()


def poll_kinesis() -> bool:
    """Start the readers that are missing; they end with their mapping."""
    for account, region, mapping in lambda_svc._iter_all_esms():
        if ":kinesis:" in mapping["EventSourceArn"]:
            with request_scope(account, region):
                _start_readers(mapping)
    return False


def _start_readers(mapping: Properties) -> None:
    if mapping["UUID"] not in lambda_svc._kinesis_positions:
        _begin(mapping["UUID"], mapping["EventSourceArn"], mapping["StartingPosition"])
    for shard_id in (_stream(mapping["EventSourceArn"]) or {"shards": ()})["shards"]:
        reader = ShardReader(mapping, shard_id)
        if reader.key not in _readers and reader.shard() is not None:
            _readers.add(reader.key)
            concurrency.spawn_background(reader.run, thread_name=f"stream-{shard_id}")


class ShardReader:
    """Gives a function the records of one shard, one batch after the other."""

    def __init__(self, mapping: Properties, shard_id: str) -> None:
        self.key = (mapping["UUID"], shard_id)
        self._mapping, self._shard_id = mapping, shard_id
        self._function: Properties = {}
        self._not_before = 0.0
        self._waiting_since: float | None = None

    def run(self) -> None:
        try:
            while (shard := self.shard()) is not None:
                if time.monotonic() < self._not_before or not self._step(shard["records"]):
                    time.sleep(POLL_SECONDS)
        finally:
            _readers.discard(self.key)

    def shard(self) -> Properties | None:
        """The shard, while the mapping is enabled and its function and stream exist."""
        mapping = self._mapping
        if lambda_svc._esms.get(mapping["UUID"]) is not mapping or not provisioners._cfn_bool(mapping["Enabled"]):
            return None
        found, _ = lambda_svc._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
        stream, self._function = _stream(mapping["EventSourceArn"]), found or {}
        if not found or not stream or stream["StreamStatus"] != "ACTIVE":
            return None
        return dict(stream["shards"]).get(self._shard_id)

    def _limit(self, name: str) -> float:
        """A limit of the mapping; without one, or with AWS's -1, there is none."""
        value = int(self._mapping.get(name, -1))
        return value if value >= 0 else float("inf")

    @property
    def _place(self) -> Place:
        kept = lambda_svc._kinesis_positions.get(self.key[0], {}).get(self._shard_id)
        return Place.restored(kept) if isinstance(kept, list | tuple) else Place()  # a shard of later: all of it

    def _go_to(self, after: str, batches: Sequence[Batch]) -> None:
        if (places := lambda_svc._kinesis_positions.get(self.key[0])) is not None:
            places[self._shard_id] = Place(after, tuple(batches))

    def _step(self, shard: list[Record]) -> bool:
        """Bring one batch further; False when there is nothing to do yet."""
        after, batches = self._place
        start = bisect.bisect_right(shard, after, key=number)
        if not batches and not (batches := self._gather(shard[start : start + int(self._mapping["BatchSize"])])):
            return False
        after = max(after, batches[-1].last)
        self._go_to(after, batches)
        records = batches[0].records(shard)
        rest = self._rest_of(batches[0], records) if records else []  # none: the stream has forgotten them
        self._go_to(after, [*rest, *batches[1:]])
        return True

    def _gather(self, waiting: list[Record]) -> tuple[Batch, ...]:
        """The next batch, once it is full or the batching window is over."""
        if not waiting:
            return ()
        self._waiting_since = self._waiting_since or time.monotonic()
        waited = time.monotonic() - self._waiting_since
        sizes = itertools.accumulate(len(record["Data"]) + len(record["PartitionKey"]) + 512 for record in waiting)
        fitting = max(1, sum(size <= LARGEST_EVENT for size in sizes))
        full = fitting < len(waiting) or len(waiting) == int(self._mapping["BatchSize"])
        if not full and waited < int(self._mapping["MaximumBatchingWindowInSeconds"]):
            return ()
        self._waiting_since = None
        return (Batch(number(waiting[0]), number(waiting[fitting - 1])),)

    def _rest_of(self, batch: Batch, records: list[Record]) -> list[Batch]:
        """Call the function with a batch; what is to be tried again."""
        oldest = time.time() - self._limit("MaximumRecordAgeInSeconds")
        if old := bisect.bisect_left(records, oldest, key=arrival):
            self._give_up("RecordAgeExceeded", records[:old], batch.failures, None)
            return [batch._replace(first=number(records[old]))] if old < len(records) else []
        wanted = lambda_svc._apply_filter_criteria([self._event(record) for record in records], self._mapping)
        if not wanted:
            return []
        age = (time.time() - arrival(records[-1])) * 1000
        _measure("IteratorAge", age, "Milliseconds", self._mapping["FunctionName"])
        result = lambda_svc._execute_function(self._function, {"Records": wanted})
        self._mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
        if result.get("throttle"):  # costs no retry
            self._not_before = time.monotonic() + THROTTLED_PAUSE
            return [batch]
        reports = "ReportBatchItemFailures" in self._mapping.get("FunctionResponseTypes", [])
        failed = _first_failure(result.get("body"), records) if reports else None
        if result.get("error"):
            failed = WHOLE_BATCH
        return [] if failed is None else self._try_again(batch, records, failed, result)

    def _try_again(self, batch: Batch, records: list[Record], failed: int, result: Properties) -> list[Batch]:
        bisects = provisioners._cfn_bool(self._mapping.get("BisectBatchOnFunctionError", False))
        if failed == WHOLE_BATCH and bisects and len(records) > 1:  # a split costs no retry
            middle = len(records) // 2
            return [batch._replace(last=number(records[middle - 1])), batch._replace(first=number(records[middle]))]
        start = max(failed, 0)
        if start and bisects:
            return [batch._replace(first=number(records[start]))]
        left = Batch(number(records[start]), batch.last, batch.failures + 1)
        if left.failures > self._limit("MaximumRetryAttempts"):
            self._give_up("RetryAttemptsExhausted", records[start:], left.failures, result)
            return []
        self._not_before = time.monotonic() + min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(batch.failures, 16))
        return [left]

    def _event(self, record: Record) -> Properties:
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": number(record),
                "data": kinesis._ensure_base64(record["Data"]),
                "approximateArrivalTimestamp": arrival(record),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard_id}:{number(record)}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": self._function["config"]["Role"],
            "awsRegion": get_region(),
            "eventSourceARN": self._mapping["EventSourceArn"],
        }

    def _give_up(self, condition: str, records: list[Record], calls: int, result: Properties | None) -> None:
        """Tell the failure destination where the records lie; their data stays in the stream."""
        config, result = self._function["config"], result or {}
        answered = {"statusCode": 200, "executedVersion": config.get("Version", "$LATEST")}
        failed = {"functionError": result.get("function_error") or "Unhandled"} if result.get("error") else {}
        document = {
            "requestContext": {
                "requestId": result.get("request_id") or str(uuid.uuid4()),
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": calls,
            },
            **({"responseContext": {**answered, **failed}} if result else {}),
            "version": "1.0",
            "timestamp": _moment(time.time()),
            "KinesisBatchInfo": {
                "shardId": self._shard_id,
                "startSequenceNumber": number(records[0]),
                "endSequenceNumber": number(records[-1]),
                "approximateArrivalOfFirstRecord": _moment(arrival(records[0])),
                "approximateArrivalOfLastRecord": _moment(arrival(records[-1])),
                "batchSize": len(records),
                "streamArn": self._mapping["EventSourceArn"],
            },
        }
        logger.warning("%s: %s", self._mapping["FunctionName"], document)
        if target := ((self._mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination"):
            try:
                registry.deliver(config["Role"], target, json.dumps(document), {})
            except Exception:  # counted and no more, as on AWS
                logger.exception("%s could not reach %s", self._mapping["FunctionName"], target)
                _measure("DestinationDeliveryFailures", 1, "Count", self._mapping["FunctionName"])


def _first_failure(answer: Any, records: list[Record]) -> int | None:
    """Index of the first record that a function gives back; one that it cannot have meant gives back the batch."""
    if not answer:
        return None
    if not isinstance(answer, dict):
        return WHOLE_BATCH
    numbers = [number(record) for record in records]
    named = [failure.get("itemIdentifier") if isinstance(failure, dict) else None
             for failure in answer.get("batchItemFailures") or []]  # fmt: skip
    return min((numbers.index(name) if name in numbers else WHOLE_BATCH for name in named), default=None)


def _measure(name: str, value: float, unit: str, function: str) -> None:
    cloudwatch.record_metric("AWS/Lambda", name, value, unit, {"FunctionName": function})


def _moment(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


_MODULE = "ministack.services.lambda_svc"
PATCHES = {f"{_MODULE}._init_stream_position": begin, f"{_MODULE}._poll_kinesis": poll_kinesis}
