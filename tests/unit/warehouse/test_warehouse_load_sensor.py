"""The sensor of run_platform: patient with the chain and with the warehouse, and clear about what is not in order."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred

from concert_platform import warehouse
from concert_platform.compat import AirflowFailException
from concert_platform.sensors.warehouse_load import WarehouseLoadSensor
from concert_platform.triggers import warehouse_load
from concert_platform.triggers.warehouse_load import WarehouseLoadTrigger

ROW = ["ticketmaster", "event", "loaded", None]


class Chain:
    """Runs of the chain and answers of the warehouse, one of each per look; a look takes a minute."""

    def __init__(self, runs: Sequence[int], answers: Sequence[Any]) -> None:
        self.runs, self.answers = list(runs), list(answers)
        self.now = 0.0
        self.sent: list[dict[str, Any]] = []

    def runs_in_progress(self) -> int:
        self.now += 60.0
        return self.runs.pop(0) if self.runs else 0

    def submit(self, sql: str, **params: Any) -> str:
        self.sent.append(params)
        return f"statement-{len(self.sent)}"

    def wait(self, statement_id: str, at_most: float) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return {"Id": statement_id, "Status": "STARTED" if answer is None else "FINISHED", "rows": answer}


@pytest.fixture
def chained(monkeypatch: pytest.MonkeyPatch) -> Any:
    """chained(runs, answers) -> what the trigger then meets."""

    def make(runs: Sequence[int], answers: Sequence[Any]) -> Chain:
        chain = Chain(runs, answers)
        monkeypatch.setattr(WarehouseLoadTrigger, "runs_in_progress", staticmethod(chain.runs_in_progress))
        monkeypatch.setattr(warehouse_load, "time", SimpleNamespace(monotonic=lambda: chain.now))
        monkeypatch.setattr(warehouse, "submit_query", chain.submit)
        monkeypatch.setattr(warehouse, "wait", chain.wait)
        monkeypatch.setattr(warehouse, "rows", lambda answer: answer["rows"])
        return chain

    return make


def audits(**changes: Any) -> Any:
    async def first() -> Any:
        return await anext(WarehouseLoadTrigger(run_id="make-run-1", poll_interval=0.0, **changes).run())

    return asyncio.run(first()).payload["audits"]


def test_the_audit_is_read_once_no_run_of_the_chain_is_under_way(chained: Any) -> None:
    chain = chained([1, 2, 1, 0], [[ROW]])
    assert audits(report_etag="e1") == [ROW]
    assert chain.sent == [{"run_id": "make-run-1", "report_etag": "e1"}]


def test_a_scheduler_that_starts_the_chain_nine_minutes_late_is_waited_for(chained: Any) -> None:
    chained([0] * 9 + [1] + [0] * 9 + [1, 0], [*[[]] * 18, [ROW]])
    assert audits() == [ROW]


def test_a_chain_that_stays_idle_is_taken_as_broken_after_ten_minutes(chained: Any) -> None:
    chain = chained([], [[]])
    assert audits() == []
    assert 600 < chain.now - 60 <= 660


def test_a_slow_query_is_gone_on_with_and_not_sent_again(chained: Any) -> None:
    chain = chained([], [None, None, [ROW]])
    assert audits() == [ROW]
    assert len(chain.sent) == 1


def test_a_warehouse_without_the_table_has_no_account_yet(chained: Any) -> None:
    chained([], [warehouse.StatementFailedError('relation "quality.load_audit" does not exist'), [ROW]])
    assert audits() == [ROW]


def test_the_sensor_hands_over_its_patience_and_names_it_when_the_chain_is_broken() -> None:
    sensor = WarehouseLoadSensor(task_id="w", ingest_run_id="make_run__1", idle_for=timedelta(minutes=20))
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert deferred.value.trigger.idle_timeout == 1200.0
    with pytest.raises(AirflowFailException, match=r"never reached quality\.load_audit .* under way for 0:20:00"):
        sensor.execute_complete({}, {"run_id": "make-run-1", "audits": []})
