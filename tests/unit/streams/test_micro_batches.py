"""Which micro-batches there are, and whether the function has dealt with what a run has sent."""

from datetime import UTC, datetime
from typing import Any

import pytest

from concert_platform.streams import micro_batches as module
from concert_platform.streams.micro_batches import MicroBatch, is_consumed, listed

NOTED = datetime(2026, 7, 3, 12, 30, tzinfo=UTC)


class Bucket:
    def __init__(self, **last: int) -> None:
        """:param last: key without folder, with _ for -, to the last sequence number of its metadata"""
        self.last = {f"stream/dt=2026-07-03/12/{name.replace('_', '-')}.jsonl.gz": str(n) for name, n in last.items()}
        self.starts: list[str] = []

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, *, Bucket: str, Prefix: str, StartAfter: str) -> list[dict[str, Any]]:
        self.starts.append(StartAfter)
        entry = {"ETag": '"e"', "LastModified": NOTED, "Size": 1}
        return [{"Contents": [{"Key": key, **entry} for key in sorted(self.last) if key > StartAfter]}]

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Metadata": {"last-sequence-number": self.last[Key]}}


@pytest.fixture(autouse=True)
def bucket_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "settings", lambda: type("Names", (), {"raw_bucket": "raw"}))


def test_a_key_names_shard_and_first_record() -> None:
    batch = MicroBatch("stream/dt=2026-07-03/12/shardId-000000000007-4951.jsonl.gz", "e", NOTED, 1)
    assert (batch.shard, batch.first) == ("shardId-000000000007", 4951)
    assert MicroBatch("stream/dt=2026-07-03/12/else", "e", NOTED, 1).first == 0


def test_a_listing_begins_with_the_hour_that_it_is_asked_for() -> None:
    bucket = Bucket(shard_1=2)
    assert [one.first for one in listed(bucket, NOTED)] == [1]
    assert bucket.starts == ["stream/dt=2026-07-03/12/"] and len(list(listed(bucket, None))) == 1


@pytest.mark.parametrize(
    ("batches", "is_so"),
    [({}, False), ({"a_90": 99}, False), ({"a_90": 100}, True), ({"a_90": 99, "a_100": 100}, True),
     ({"a_110": 120}, True), ({"a_9": 99, "a_10": 99}, False), ({"b_200": 300}, False)],
)  # fmt: skip
def test_a_shard_is_consumed_once_a_batch_reaches_the_position(batches: dict[str, int], is_so: bool) -> None:
    assert is_consumed({"a": "100"}, NOTED, Bucket(**batches)) is is_so


def test_every_shard_is_waited_for_and_a_run_that_sent_nothing_for_none() -> None:
    assert not is_consumed({"a": "100", "b": "5"}, NOTED, Bucket(a_90=100))
    assert is_consumed({"a": "100", "b": "5"}, NOTED, Bucket(a_90=100, b_5=5))
    assert is_consumed({}, NOTED, Bucket())
