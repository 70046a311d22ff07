"""Objects that Spark reads are fetched once and never sent back, whatever other threads of the script do meanwhile."""

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.glue_runtime.mirror import Mirror


class Bucket:
    """Objects of one bucket, and what was put."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects, self.read = objects, 0
        self.put: dict[str, bytes] = {}

    def get_paginator(self, _name: str) -> "Bucket":
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(asked["Prefix"])]}]

    def get_object(self, **asked: str) -> dict[str, Any]:
        self.read += 1
        return {"Body": io.BytesIO(self.objects[asked["Key"]])}

    def put_object(self, **asked: Any) -> None:
        self.put[asked["Key"]] = asked["Body"]


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_an_object_that_is_being_fetched_is_not_sent_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    bucket = Bucket({"curated/a.parquet": b"rows"})
    mirror, original = Mirror(tmp_path, bucket), getattr(Path, step)

    def then_push(path: Path, *arguments: Any) -> Any:
        answer = original(path, *arguments)
        mirror.push()
        return answer

    monkeypatch.setattr(Path, step, then_push)
    assert mirror.fetch("s3://lake/curated/") == 1
    assert bucket.put == {}
    assert (tmp_path / "lake/curated/a.parquet").read_bytes() == b"rows"


def test_who_finds_an_object_fetched_finds_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket({"raw/a.json": b"{}"})
    mirror, began, go_on = Mirror(tmp_path, bucket), threading.Event(), threading.Event()
    whole: Callable[..., dict[str, Any]] = bucket.get_object

    def slow(**asked: str) -> dict[str, Any]:
        began.set()
        assert go_on.wait(30)
        return whole(**asked)

    monkeypatch.setattr(bucket, "get_object", slow)
    found: list[bytes] = []

    def read() -> None:
        mirror.fetch("s3://lake/raw/")
        found.append((tmp_path / "lake/raw/a.json").read_bytes())

    at_the_lock = threading.Event()

    class Watched:
        """The mirror's lock, which tells when somebody waits for it."""

        def __init__(self, lock: threading.Lock) -> None:
            self.lock = lock

        def __enter__(self) -> None:
            if self.lock.locked():
                at_the_lock.set()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    mirror._fetching = Watched(mirror._fetching)
    readers = [threading.Thread(target=read) for _ in range(2)]
    readers[0].start()
    assert began.wait(30)
    readers[1].start()
    assert at_the_lock.wait(30)
    go_on.set()
    for reader in readers:
        reader.join(30)
    assert found == [b"{}", b"{}"]
    assert bucket.read == 1


def test_what_spark_has_written_is_uploaded_once_and_nothing_unfinished(tmp_path: Path) -> None:
    bucket = Bucket({})
    mirror, folder = Mirror(tmp_path, bucket), tmp_path / "lake" / "curated" / "event"
    for name in ("part-0.parquet", ".part-0.parquet.crc", "_SUCCESS", "_temporary/0/part-1.parquet"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"rows")
    assert (mirror.push(), mirror.push()) == (1, 0)
    assert bucket.put == {"curated/event/part-0.parquet": b"rows"}
