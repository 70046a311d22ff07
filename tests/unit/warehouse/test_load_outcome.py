"""A partition that fails neither stops nor blames another."""

from typing import Any

import pytest

from concert_platform.load_outcome import failures, loaded, stream_failure
from concert_platform.partitions import Partition

LOADS = [{"dt": "2020-03-04", "run_id": run} for run in ("first", "second", "third")]
OWN = [Partition("2020-03-04", "third")]


class Task:
    """The part of a task instance that is asked: states of the run, and reasons that failed tasks have pushed."""

    dag_id, run_id = "load_warehouse", "run"

    def __init__(self, states: dict[str, str], reasons: dict[tuple[str, int], str] | None = None) -> None:
        self.states = states
        self.reasons = reasons or {}

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, Any]:
        return {run_ids[0]: self.states} if dag_id == self.dag_id else {}

    def xcom_pull(self, *, task_ids: str, map_indexes: int, key: str) -> str | None:
        return self.reasons.get((task_ids, map_indexes)) if key == "error" else None


def states(*of_loads: str, **of_tasks: str) -> dict[str, str]:
    return {f"load_partition_{index}": state for index, state in enumerate(of_loads)} | of_tasks


def test_nothing_failed_nothing_recorded() -> None:
    ti = Task(states("success", "success", "success", check_warehouse="success", record_failure="running"))
    assert failures(ti, LOADS, OWN) == {}
    assert failures(Task({"require_stacks": "skipped", "list_loads": "skipped"}), None, OWN) == {}


def test_a_failed_load_is_recorded_with_its_own_reason_and_no_other() -> None:
    ti = Task(
        states("success", "failed", "success", check_warehouse="success"),
        {("load_partition", 0): "of an earlier try", ("load_partition", 1): "numeric overflow"},
    )
    assert failures(ti, LOADS, OWN) == {
        Partition("2020-03-04", "second"): "load_warehouse: load_partition failed: numeric overflow"
    }
    assert loaded(ti, LOADS) == [LOADS[0], LOADS[2]]


@pytest.mark.parametrize(("loads", "expected"), [(None, OWN), (LOADS, [Partition(**_) for _ in (
    {"date": load["dt"], "run_id": load["run_id"]} for load in LOADS)])])  # fmt: skip
def test_a_failure_before_the_loads_concerns_every_partition(loads: Any, expected: list[Partition]) -> None:
    ti = Task({"apply_migrations": "failed", "list_loads": "upstream_failed", "load_partition": "upstream_failed"})
    found = failures(ti, loads, OWN)
    assert list(found) == expected
    assert set(found.values()) == {"load_warehouse: apply_migrations failed: its log has the reason"}


def test_a_failure_after_the_loads_says_that_the_rows_are_in() -> None:
    ti = Task(
        states("success", "failed", "success", check_warehouse="failed"),
        {("load_partition", 1): "overflow", ("check_warehouse", -1): "breaks event_money"},
    )
    found = failures(ti, LOADS, OWN)
    assert found[Partition("2020-03-04", "second")] == "load_warehouse: load_partition failed: overflow"
    after = "load_warehouse: the rows are in core, but check_warehouse failed: breaks event_money"
    assert [found[Partition("2020-03-04", run)] for run in ("first", "third")] == [after, after]


def test_the_stream_is_told_of_apart_from_the_partitions() -> None:
    """The load is whole, the models may go on with it, and the failure is told all the same."""
    ti = Task(
        states("success", "success", "success", check_warehouse="success", publish_concert_artists="failed"),
        {("publish_concert_artists", -1): "throttled"},
    )
    assert failures(ti, LOADS, OWN) == {}
    assert stream_failure(ti) == "load_warehouse: publish_concert_artists failed: throttled"
    assert stream_failure(Task(states("success", publish_concert_artists="skipped"))) is None
