"""Which micro-batches one load takes, and what the load is called."""

from datetime import UTC, datetime
from typing import Any

import pytest

from concert_platform.streams import loading, micro_batches
from concert_platform.streams.micro_batches import MicroBatch

WHEN = datetime(2026, 7, 3, 12, 30, tzinfo=UTC)


class Platform:
    """Micro-batches of the raw bucket, the lists of loads, and a watermark that was lost."""

    def __init__(self) -> None:
        self.batches: list[MicroBatch] = []
        self.loaded: list[list[str]] = []
        self.written: dict[str, bytes] = {}

    def add(self, shard: str, etag: str = "e") -> None:
        self.batches.append(MicroBatch(f"stream/dt=2026-07-03/12/{shard}-1.jsonl.gz", etag, WHEN, 1))

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.written[Key] = Body

    def rows(self, _: str) -> list[dict[str, Any]]:
        return []

    def find(self, run_id: str = "stream-run") -> dict[str, Any]:
        state: Any = self
        return loading.find(run_id, "2026-07-03", state=state, s3=self) or {}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    made = Platform()
    for module in (loading, micro_batches):
        monkeypatch.setattr(module, "settings", lambda: type("Names", (), {"raw_bucket": "raw"}))
    monkeypatch.setattr(loading, "listed", lambda *_: list(made.batches))
    monkeypatch.setattr(loading, "query", lambda *_, **__: made.loaded)
    monkeypatch.setattr(loading, "pending_migrations", list)
    return made


def test_a_run_that_is_cleared_and_finds_other_objects_is_another_load(platform: Platform) -> None:
    platform.add("a")
    first = platform.find()
    assert platform.find() == first  # a task that is tried again
    platform.loaded = [[one.key, one.etag] for one in platform.batches]
    platform.add("b")
    second = platform.find()
    assert second["run_id"] != first["run_id"] and second["manifest_uri"] != first["manifest_uri"]
    assert len(platform.written) == 4


def test_the_id_of_a_load_fits_the_warehouse_for_the_longest_run_id(platform: Platform) -> None:
    platform.add("a")
    assert len(platform.find(f"stream-{'x' * 100}")["run_id"]) <= 128
