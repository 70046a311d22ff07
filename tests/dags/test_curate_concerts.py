"""What curate_concerts announces when its Glue run has succeeded, and when it has refused a part of a batch."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from concert_platform import backlog, metrics, warehouse
from concert_platform.assets import CURATED_CONCERTS
from concert_platform.compat import AirflowFailException, AirflowSkipException
from concert_platform.partitions import Partition

WANTED = [["2020-03-04", "a"], ["2020-03-04", "b"]]


@pytest.fixture(scope="module")
def dag_file() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "curate_concerts_of_tests", Path(__file__).parents[2] / "dags" / "curate_concerts.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Events:
    """The events of the outlets, of which there is one; an Asset is no key of a dictionary."""

    def __init__(self) -> None:
        self.event = SimpleNamespace(extra=None)

    def __getitem__(self, asset: Any) -> SimpleNamespace:
        assert asset == CURATED_CONCERTS
        return self.event


def announced(dag_file: ModuleType, monkeypatch: pytest.MonkeyPatch, job_run: str | None, *passed: str) -> Any:
    monkeypatch.setattr(warehouse, "loads_of", lambda found: [])
    monkeypatch.setattr(metrics, "publish_curation", lambda loads: None)
    monkeypatch.setattr(backlog, "passed", lambda ti, wanted: [Partition("2020-03-04", run) for run in passed])
    events = Events()
    ti = SimpleNamespace(xcom_pull=lambda task_ids: job_run)
    dag_file.announce_partitions.function(WANTED, ti=ti, outlet_events=events)
    return events.event.extra["partitions"]


def test_after_a_success_every_partition_is_announced(dag_file: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert announced(dag_file, monkeypatch, "jr-1") == WANTED


def test_after_a_refusal_those_that_passed_are(dag_file: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert announced(dag_file, monkeypatch, None, "b") == [["2020-03-04", "b"]]


def test_where_nothing_passed_no_event_is_sent(dag_file: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowSkipException, match="curate_records says why"):
        announced(dag_file, monkeypatch, None)


@pytest.mark.parametrize(
    ("found", "recorded"),
    [(WANTED, [("2020-03-04", "b")]), (None, [("2020-03-05", "own")])],
    ids=["with what earlier runs left", "find_partitions has failed"],
)
def test_a_failure_is_recorded_for_every_partition_of_the_job_that_was_not_published(
    dag_file: ModuleType, monkeypatch: pytest.MonkeyPatch, found: Any, recorded: list[tuple[str, str]]
) -> None:
    noted: list[tuple[str, str | None]] = []
    monkeypatch.setattr(backlog, "passed", lambda ti, wanted: [Partition("2020-03-04", "a")])
    monkeypatch.setattr(warehouse, "record_failure", lambda failed, message: noted.extend(tuple(p) for p in failed))
    pulled = {("find_partitions", None): found, ("curate_records", "error"): "a gate"}
    ti = SimpleNamespace(xcom_pull=lambda task_ids, key=None: pulled.get((task_ids, key)))
    dag_run = SimpleNamespace(conf={"partitions": [["2020-03-05", "own"]]}, logical_date=None, run_after=None)
    with pytest.raises(AirflowFailException, match="curate_concerts:"):
        dag_file.note_failure.function(ti=ti, dag_run=dag_run)
    assert noted == recorded
