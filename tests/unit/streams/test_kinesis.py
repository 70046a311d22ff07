"""The producer: limits, order per key, retries of what failed, spill and drain."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from concert_platform.streams import kinesis as module
from concert_platform.streams.kinesis import KinesisProducer
from concert_platform.streams.records import (
    LARGEST_RECORD,
    RecordsRefusedError,
    StreamRecord,
    StreamRefusesError,
    StreamStalledError,
)
from concert_platform.streams.spill import Spill, SpillUnreadableError
from tests.unit.streams.conftest import Clock, FakeKinesis, FakeS3, failed

THROTTLED = "ProvisionedThroughputExceededException"


class Moments:
    """A later microsecond each time."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> datetime:
        self.count += 1
        return datetime(2026, 7, 3, 12, 0, 0, self.count, tzinfo=UTC)


def producer(kinesis: FakeKinesis, s3: FakeS3 | None, **changed: Any) -> KinesisProducer:
    clock = Clock()
    spill = Spill("interactions", s3=s3, bucket="raw", now=MOMENTS) if s3 is not None else None
    return KinesisProducer("interactions", spill=spill, client=kinesis, sleep=clock.sleep, clock=clock, **changed)


MOMENTS = Moments()


def records(count: int, keys: int = 1, size: int = 0) -> list[StreamRecord]:
    return [StreamRecord(f"k{n % keys}", f"{n:06d}".encode() + b"x" * size) for n in range(count)]


def expected(sent: list[StreamRecord], key: str) -> list[bytes]:
    return [record.data for record in sent if record.partition_key == key]


def test_a_request_holds_at_most_500_records_and_5_megabytes(kinesis: FakeKinesis) -> None:
    producer(kinesis, None).send(records(1200, keys=1200))
    assert [len(request) for request in kinesis.requests] == [500, 500, 200]
    kinesis.requests.clear()
    report = producer(kinesis, None).send(records(12, keys=12, size=900_000))
    sizes = [sum(len(one["Data"]) + len(one["PartitionKey"]) for one in request) for request in kinesis.requests]
    assert max(sizes) <= 5 * 2**20 and report.sent == 12 and len(kinesis.requests) == 3


def test_only_the_failed_records_are_sent_again(kinesis: FakeKinesis) -> None:
    kinesis.verdict = lambda request, sent: [
        THROTTLED if request == 1 and n % 3 == 0 else None for n in range(len(sent))
    ]
    report = producer(kinesis, None).send(records(10, keys=10))
    assert [len(request) for request in kinesis.requests] == [10, 4]
    assert (report.sent, report.retries, report.errors) == (10, 4, {THROTTLED: 4})
    assert len(set(kinesis.taken)) == len(kinesis.taken) == 10


def test_order_per_key_holds_whatever_fails(kinesis: FakeKinesis) -> None:
    dice = random.Random(6)  # noqa: S311 - no secret
    kinesis.verdict = lambda _, sent: [THROTTLED if dice.random() < 0.4 else None for _ in sent]
    sent = records(500, keys=7)
    assert producer(kinesis, None).send(sent).sent == 500
    for key in {record.partition_key for record in sent}:
        assert kinesis.of(key) == expected(sent, key)


def test_a_failed_record_holds_back_only_the_later_ones_of_its_key(kinesis: FakeKinesis) -> None:
    kinesis.verdict = lambda request, sent: [
        THROTTLED if request < 4 and one["PartitionKey"] == "k0" else None for one in sent
    ]
    producer(kinesis, None).send(records(6, keys=2))
    assert [key for key, _ in kinesis.taken] == ["k1", "k1", "k1", "k0", "k0", "k0"]


@pytest.mark.parametrize("error", [failed(THROTTLED), ReadTimeoutError(endpoint_url="https://kinesis")])
def test_a_request_that_fails_as_a_whole_is_tried_again(kinesis: FakeKinesis, error: Exception) -> None:
    kinesis.verdict = lambda request, sent: error if request == 1 else [None] * len(sent)
    assert producer(kinesis, None).send(records(3)).sent == 3


def test_what_will_not_pass_ends_in_one_line(kinesis: FakeKinesis, s3: FakeS3) -> None:
    kinesis.verdict = lambda request, sent: failed("AccessDeniedException")
    with pytest.raises(StreamRefusesError, match=r"refuses records \(AccessDeniedException\).*permissions"):
        producer(kinesis, s3).send(records(3))
    assert len(kinesis.requests) == 1 and s3.objects == {}


def test_a_source_is_read_no_faster_than_the_stream_takes(kinesis: FakeKinesis) -> None:
    read = 0

    def source() -> Any:
        nonlocal read
        for record in records(10_000, keys=10_000):
            read += 1
            yield record

    ahead: list[int] = []

    def verdict(_: int, sent: list) -> list:
        ahead.append(read - len(kinesis.taken))
        return [None] * len(sent)

    kinesis.verdict = verdict
    assert producer(kinesis, None).send(source()).sent == 10_000
    assert max(ahead) <= module.MOST_WAITING


def test_a_record_above_a_megabyte_is_refused_with_its_reason_and_the_others_are_sent(
    kinesis: FakeKinesis, s3: FakeS3
) -> None:
    fits = StreamRecord("k", b"x" * (LARGEST_RECORD - 1))
    report = producer(kinesis, s3).send([StreamRecord("big", b"x" * LARGEST_RECORD), fits, StreamRecord("", b"x")])
    assert (report.sent, len(report.refused)) == (1, 2)
    with pytest.raises(RecordsRefusedError, match="2 records refused; the first, of key 'big': it has 1,048,579"):
        report.raise_for_refused()
    assert report.metrics()["StreamRecordsRefused"] == 2


def test_a_stream_that_throttles_for_long_spills_the_rest_and_the_next_run_drains_it_first(
    kinesis: FakeKinesis, s3: FakeS3
) -> None:
    kinesis.verdict = lambda request, sent: [None if request <= 3 else THROTTLED for _ in sent]
    first, second = records(50, keys=5), [StreamRecord(f"k{n % 5}", f"later {n}".encode()) for n in range(10)]
    report = producer(kinesis, s3).send(first)
    assert (report.sent, report.spilled) == (15, 35) and len(s3.objects) == 1
    (key,) = s3.objects
    assert key.startswith("spill/interactions/2026-07-03/") and key.endswith(".jsonl.gz")

    report = producer(kinesis, s3).send(second)  # it still throttles: new records may not overtake the spilled ones
    assert (report.sent, report.spilled, report.drained) == (0, 10, 0) and len(s3.objects) == 2

    kinesis.verdict = lambda _, sent: [None] * len(sent)
    last = [StreamRecord("k0", b"last")]
    report = producer(kinesis, s3).send(last)
    assert (report.sent, report.drained, s3.objects) == (1, 45, {})
    for name in ("k0", "k1", "k2", "k3", "k4"):
        assert kinesis.of(name) == expected([*first, *second, *last], name)


def test_a_drain_that_is_killed_sends_again_and_loses_nothing(kinesis: FakeKinesis, s3: FakeS3) -> None:
    sent = records(20, keys=2)
    producer(kinesis, s3).spill.write(sent)  # type: ignore[union-attr]

    kinesis.verdict = lambda request, batch: RuntimeError("killed") if request == 4 else [None] * len(batch)
    with pytest.raises(RuntimeError):
        producer(kinesis, s3).drain()
    assert len(s3.objects) == 1
    kinesis.verdict = lambda _, batch: [None] * len(batch)
    assert producer(kinesis, s3).drain() and s3.objects == {}
    for key in ("k0", "k1"):  # the first time that each came is in order
        assert list(dict.fromkeys(kinesis.of(key))) == expected(sent, key)


def test_without_a_spill_a_stalled_stream_is_an_error(kinesis: FakeKinesis) -> None:
    kinesis.verdict = lambda _, sent: [THROTTLED] * len(sent)
    with pytest.raises(StreamStalledError, match="took nothing for 30 s"):
        producer(kinesis, None).send(records(3))


def test_waits_grow_and_are_cut_by_a_random_part(kinesis: FakeKinesis) -> None:
    waits: list[float] = []
    clock = Clock()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.sleep(seconds)

    kinesis.verdict = lambda request, sent: [THROTTLED if request < 12 else None for _ in sent]
    KinesisProducer("s", spill=None, client=kinesis, patience=1e9, sleep=sleep, clock=clock).send(records(1))
    assert all(module.FIRST_WAIT <= wait <= module.LONGEST_WAIT for wait in waits) and len(set(waits)) == 11


def test_an_object_of_the_spill_that_cannot_be_read_is_named_and_kept(kinesis: FakeKinesis, s3: FakeS3) -> None:
    s3.objects["spill/interactions/2026-07-03/x.jsonl.gz"] = b"no gzip"
    with pytest.raises(SpillUnreadableError, match=r"s3://raw/spill/interactions/2026-07-03/x\.jsonl\.gz is no object"):
        producer(kinesis, s3).send(records(1))
    assert s3.objects and kinesis.taken == []


def test_the_report_knows_the_last_position_of_each_shard(kinesis: FakeKinesis) -> None:
    assert producer(kinesis, None).send(records(12)).positions == {"shardId-000000000000": "12"}


def test_an_object_that_somebody_else_has_drained_since_the_listing_is_passed_over(
    kinesis: FakeKinesis, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = producer(kinesis, s3)
    made.spill.write(records(3))  # type: ignore[union-attr]
    waiting = made.spill.waiting()  # type: ignore[union-attr]
    monkeypatch.setattr(made.spill, "waiting", lambda: ["spill/interactions/2026-07-03/gone.jsonl.gz", *waiting])
    assert made.send(records(1)).drained == 3 and s3.objects == {}
