"""Micro-batches into the warehouse on the real engine: each event once, though repeated, late, broken or killed."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest

from concert_platform import warehouse
from concert_platform.settings import settings
from concert_platform.sources.state import IngestState
from concert_platform.streams import loading
from tests.contract.conftest import Emulator
from tests.contract.curated_runs import Platform
from tests.contract.warehouse_platform import create_table, violations

pytest_plugins = ["tests.contract.warehouse_platform"]

HOUR = f"stream/dt={datetime.now(UTC):%Y-%m-%d/%H}/"
DAY = "2026-07-03"


class Stream:
    """Raw bucket, ingest-state table and the two tables of the stream."""

    def __init__(self, emulator: Emulator) -> None:
        self.s3 = emulator.client("s3")
        self.table = create_table(emulator, settings().ingest_state_table, "source", "item")
        self.state = IngestState(self.table)
        self.runs = 0

    def put(self, name: str, *events: dict[str, Any], hour: str = HOUR) -> str:
        key = f"{hour}{name}.jsonl.gz"
        lines = "".join(json.dumps({**event, "object_name": key}) + "\n" for event in events)
        self.s3.put_object(Bucket=settings().raw_bucket, Key=key, Body=gzip.compress(lines.encode(), mtime=0))
        return key

    def find(self) -> dict[str, Any] | None:
        self.runs += 1
        return loading.find(f"stream-run-{self.runs}", DAY, state=self.state, s3=self.s3)

    def load(self) -> dict[str, Any] | None:
        """What the tasks of load_stream do."""
        if (load := self.find()) is not None:
            warehouse.execute_batch(warehouse.render(loading.FILES, **load))
            loading.confirm(load, self.state)
        return load


@pytest.fixture
def stream(platform: Platform, emulator: Emulator) -> Iterator[Stream]:
    made = Stream(emulator)
    made.s3.create_bucket(Bucket=settings().raw_bucket)
    yield made
    pages = made.s3.get_paginator("list_objects_v2").paginate(Bucket=settings().raw_bucket)
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", [])]:
        made.s3.delete_object(Bucket=settings().raw_bucket, Key=key)
    made.s3.delete_bucket(Bucket=settings().raw_bucket)
    made.table.delete()
    for table in ("core.fact_fan_event", "core.fact_event_change", "quality.stream_object", "quality.load_audit",
                  "quality.quarantine"):  # fmt: skip
        warehouse.query(f"DELETE FROM {table}")


def fan(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "event_id": f"f{number}", "schema_version": 1, "type": "view", "user_id": "Björk 中島みゆき", "artist_id": "a1",
        "concert_id": None, "occurred_at": "2026-07-03 12:00:00.250000", "event_date": DAY, "source": "api",
        "properties": None, "received_at": f"2026-07-03 12:00:{number:02d}.000000", **changed,
    }  # fmt: skip


def change(number: int, **changed: Any) -> dict[str, Any]:
    own = {"event_id": f"c{number}", "type": "price_changed", "user_id": None, "artist_id": None, "concert_id": "vv1",
           "source": "ticketmaster", "properties": '{"new_price_min": "49.50"}'}  # fmt: skip
    return fan(number, **{**own, **changed})


def ids(table: str) -> list[str]:
    return [row[0] for row in warehouse.query(f"SELECT event_id FROM core.{table} ORDER BY event_id")]


def accounts() -> dict[tuple[str, str], list[int]]:
    """Load, without the digits of its objects, and entity to read, loaded, quarantined, deduplicated, if any."""
    rows = warehouse.query(
        "SELECT run_id, entity, read, loaded, quarantined, deduplicated FROM quality.account "
        "WHERE source = 'stream' AND read > 0 ORDER BY run_id, entity"
    )
    return {(row[0].rpartition("-")[0], row[1]): row[2:] for row in rows}


def test_each_event_is_loaded_once_and_the_accounts_close(stream: Stream) -> None:
    first = stream.put("shard-1", fan(1), change(1), fan(2))
    stream.put("shard-4", fan(2), fan(3))
    load = stream.load() or {}
    assert (ids("fact_fan_event"), ids("fact_event_change")) == (["f1", "f2", "f3"], ["c1"])
    assert accounts() == {
        ("stream-run-1", "event_change"): [1, 1, 0, 0], ("stream-run-1", "fan_event"): [4, 3, 0, 1],
    }  # fmt: skip
    [row] = warehouse.query(
        "SELECT user_id, properties, object_name, load_run_id, schema_version FROM core.fact_fan_event "
        "WHERE event_id = 'f2'"
    )
    assert row == ["Björk 中島みゆき", None, first, load["run_id"], 1]  # the record that came first stands
    assert warehouse.query("SELECT object_name, records FROM quality.stream_object ORDER BY object_name") == [
        [first, 3], [f"{HOUR}shard-4.jsonl.gz", 2],
    ]  # fmt: skip
    assert violations("account_open") == violations("fan_event_duplicate") == violations("event_change_duplicate") == 0


def test_with_nothing_new_the_warehouse_is_not_asked(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.put("shard-1", fan(1))
    stream.load()
    monkeypatch.setattr(loading, "query", lambda *_, **__: pytest.fail("the warehouse is asked"))
    assert stream.find() is None


def test_a_stream_without_a_micro_batch_has_nothing_to_load(stream: Stream) -> None:
    assert stream.find() is None


def test_repeated_micro_batches_change_nothing_but_the_account(stream: Stream) -> None:
    stream.put("shard-1", fan(1), fan(2), change(1))
    stream.load()
    stream.put("shard-1", fan(1))  # the batch came again in two halves
    stream.put("shard-2", fan(2), change(1), fan(3))
    stream.load()
    assert (ids("fact_fan_event"), ids("fact_event_change")) == (["f1", "f2", "f3"], ["c1"])
    assert accounts()["stream-run-2", "fan_event"] == [3, 1, 0, 2]
    assert accounts()["stream-run-2", "event_change"] == [1, 0, 0, 1]
    assert violations("account_open") == 0


def test_an_object_of_poison_alone_is_loaded_as_nothing(stream: Stream) -> None:
    stream.put("shard-1")
    assert (stream.load() or {})["objects"] == 1 and accounts() == {} and stream.load() is None
    stream.put("shard-2")
    stream.put("shard-3", fan(1))
    stream.load()
    assert ids("fact_fan_event") == ["f1"] and violations("account_open") == 0


def test_an_id_that_comes_again_on_another_day_counts_once_and_after_months_is_another_event(stream: Stream) -> None:
    stream.put("shard-1", fan(1), change(1))
    stream.load()
    later = {
        "occurred_at": "2026-07-04 00:01:00.000000",
        "event_date": "2026-07-04",
    }  # the API's time, not the caller's
    stream.put("shard-2", fan(1, **later), change(1, **later), fan(2, **later))
    stream.load()
    assert (ids("fact_fan_event"), ids("fact_event_change")) == (["f1", "f2"], ["c1"])
    assert accounts()["stream-run-2", "fan_event"] == [2, 1, 0, 1]
    stream.put("shard-3", fan(1, occurred_at="2026-12-24 12:00:00.000000", event_date="2026-12-24"))
    stream.load()
    assert ids("fact_fan_event") == ["f1", "f1", "f2"]
    assert violations("account_open") == violations("fan_event_duplicate") == violations("event_change_duplicate") == 0


def test_a_load_that_is_killed_before_its_commit_leaves_nothing_and_the_next_one_takes_all(stream: Stream) -> None:
    stream.put("shard-1", fan(1), change(1))
    load = stream.find()
    statements = warehouse.render(loading.FILES, **(load or {}))
    with pytest.raises(warehouse.StatementFailedError):
        warehouse.execute_batch([*statements, "SELECT 1 / 0"])
    assert ids("fact_fan_event") == [] and warehouse.query("SELECT * FROM quality.stream_object") == []
    stream.put("shard-3", fan(1), fan(2))
    stream.load()
    assert ids("fact_fan_event") == ["f1", "f2"] and accounts()["stream-run-2", "fan_event"] == [3, 2, 0, 1]


def test_a_load_that_is_killed_after_its_commit_is_not_repeated(stream: Stream) -> None:
    stream.put("shard-1", fan(1))
    warehouse.execute_batch(warehouse.render(loading.FILES, **(stream.find() or {})))
    assert stream.load() is None and stream.find() is None
    assert ids("fact_fan_event") == ["f1"]


def test_a_load_that_is_run_again_changes_no_count(stream: Stream) -> None:
    stream.put("shard-1", fan(1), fan(1), change(1))
    load = stream.load() or {}
    before = accounts()
    warehouse.execute_batch(warehouse.render(loading.FILES, **load))
    assert accounts() == before == {
        ("stream-run-1", "event_change"): [1, 1, 0, 0], ("stream-run-1", "fan_event"): [2, 1, 0, 1],
    }  # fmt: skip
    assert violations("account_open") == 0


def test_a_run_that_is_cleared_and_finds_other_objects_keeps_the_account_of_its_first_load(stream: Stream) -> None:
    stream.put("shard-1", fan(1), fan(2))
    first = stream.load() or {}
    stream.put("shard-3", fan(3))
    stream.runs -= 1
    second = stream.load() or {}
    runs = warehouse.query("SELECT run_id, loaded FROM quality.account WHERE source = 'stream' AND read > 0")
    assert sorted(runs) == sorted([[first["run_id"], 2], [second["run_id"], 1]]) and violations("account_open") == 0
    assert warehouse.query("SELECT COUNT(*) FROM quality.stream_object") == [[2]]


def test_a_batch_that_waited_for_hours_is_loaded(stream: Stream) -> None:
    """Its object lies under the hour of its arrival."""
    stream.put("shard-9", fan(9))
    stream.load()
    stream.put("shard-1", fan(1), hour=f"stream/dt={datetime.now(UTC) - timedelta(hours=12):%Y-%m-%d/%H}/")
    assert (stream.load() or {})["objects"] == 1 and ids("fact_fan_event") == ["f1", "f9"]


def test_a_load_takes_no_more_objects_than_it_may_and_the_next_one_the_rest(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MOST_OBJECTS", 2)
    for number in range(1, 6):
        stream.put(f"shard-{number}", fan(number))
    assert [(stream.load() or {}).get("objects") for _ in range(4)] == [2, 2, 1, None]
    assert ids("fact_fan_event") == ["f1", "f2", "f3", "f4", "f5"]


def test_a_line_that_breaks_a_rule_is_quarantined_and_the_account_closes(stream: Stream) -> None:
    key = stream.put("shard-1", fan(1), fan(2, event_id="中" * 100), fan(3, event_id=None), change(4, occurred_at=None))
    run_id = (stream.load() or {})["run_id"]
    rows = warehouse.query(
        "SELECT entity, rule, file_name, run_id FROM quality.quarantine WHERE source = 'stream' ORDER BY entity, rule"
    )
    assert rows == [
        ["event_change", "time_missing", key, run_id], ["fan_event", "event_id_missing", key, run_id],
        ["fan_event", "value_too_long", key, run_id],
    ]  # fmt: skip
    assert accounts()["stream-run-1", "fan_event"] == [3, 1, 2, 0] and violations("account_open") == 0


WAITING = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_two_loads_of_the_same_micro_batches_at_once_load_each_event_once(stream: Stream, warehouse_dsn: str) -> None:
    stream.put("shard-1", fan(1), fan(2), change(3))
    planned = [warehouse.render(loading.FILES, **load) for load in (stream.find(), stream.find()) if load]
    with closing(psycopg2.connect(warehouse_dsn)) as held, held.cursor() as cursor:
        cursor.execute("LOCK quality.stream_object IN SHARE MODE")  # the loads read it, and wait before they write it
        sent = [warehouse.submit_batch(statements) for statements in planned]
        deadline = time.monotonic() + 300
        while warehouse.query(WAITING) != [[len(sent)]]:
            assert time.monotonic() < deadline, "the loads did not get as far as the lock"
            time.sleep(0.05)
        held.commit()
    for statement_id in sent:
        warehouse.wait(statement_id)
    assert ids("fact_fan_event") == ["f1", "f2"] and ids("fact_event_change") == ["c3"]
    assert warehouse.query("SELECT COUNT(*), COUNT(DISTINCT object_name) FROM quality.stream_object") == [[1, 1]]
    assert warehouse.query(
        "SELECT entity, SUM(read), SUM(loaded), SUM(deduplicated) FROM quality.account GROUP BY entity ORDER BY entity"
    ) == [["event_change", 2, 1, 1], ["fan_event", 4, 2, 2]]
    assert violations("account_open") == 0


def test_an_object_that_cannot_be_read_is_named_and_nothing_is_committed(stream: Stream) -> None:
    stream.put("shard-1", fan(1))
    key = f"{HOUR}shard-2.jsonl.gz"
    stream.s3.put_object(Bucket=settings().raw_bucket, Key=key, Body=b"no gzip")
    with pytest.raises(warehouse.StatementFailedError, match=f"file s3://{settings().raw_bucket}/{key}"):
        stream.load()
    assert ids("fact_fan_event") == []


def test_a_row_that_is_lost_in_core_opens_the_account(stream: Stream) -> None:
    stream.put("shard-1", fan(1), change(1))
    stream.load()
    warehouse.query("DELETE FROM core.fact_event_change")
    assert violations("account_open") == 1


@pytest.mark.parametrize("table", ["fan_event", "event_change"])
def test_an_id_that_stands_twice_in_core_is_found(stream: Stream, table: str) -> None:
    stream.put("shard-1", fan(1), change(1))
    stream.load()
    warehouse.query(f"INSERT INTO core.fact_{table} SELECT * FROM core.fact_{table}")
    assert violations(f"{table}_duplicate") == 1
