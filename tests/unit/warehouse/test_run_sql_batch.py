"""The operator and its trigger: one request per attempt, reattachment, cancellation."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred

from concert_platform import warehouse
from concert_platform.operators import redshift
from concert_platform.triggers.redshift import SqlBatchTrigger
from concert_platform.warehouse import data_api
from tests.deadlines import until_in_loop


class FakeDataApi:
    """The part of the Data API that the operator uses: a token names one batch."""

    def __init__(self) -> None:
        self.batches: dict[str, str] = {}
        self.status: dict[str, str] = {}
        self.cancelled: list[str] = []
        self.looks = 0
        self.next_status = "FINISHED"

    def batch_execute_statement(self, *, ClientToken: str, **_: Any) -> dict[str, str]:
        if ClientToken not in self.batches:
            self.batches[ClientToken] = f"batch-{len(self.batches)}"
            self.status[self.batches[ClientToken]] = self.next_status
        return {"Id": self.batches[ClientToken]}

    def describe_statement(self, *, Id: str) -> dict[str, Any]:
        self.looks += 1
        return {"Id": Id, "Status": self.status[Id], "Error": "ERROR: disk\nfull", "SubStatements": []}

    def cancel_statement(self, *, Id: str) -> None:
        self.status[Id] = "ABORTED"
        self.cancelled.append(Id)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeDataApi:
    fake = FakeDataApi()
    monkeypatch.setattr(data_api, "client", lambda service: fake)
    monkeypatch.setattr(data_api, "settings", lambda: SimpleNamespace(workgroup="w", database="d"))
    monkeypatch.setattr(warehouse, "render", lambda files, **values: [f"SELECT {len(files)}"])
    return fake


PUSHED: list[tuple[str, str]] = []


def run(try_number: int = 1, max_tries: int = 2, map_index: int = -1) -> Any:
    operator = redshift.RunSqlBatchOperator(task_id="load", files=["load/a.sql"], retries=2)
    ti = SimpleNamespace(
        dag_id="d", task_id="load", run_id="r", map_index=map_index, try_number=try_number, max_tries=max_tries,
        xcom_push=lambda key, value: PUSHED.append((key, value)),
    )  # fmt: skip
    return operator.execute({"ti": ti})


def test_a_retry_finds_the_batch_of_its_killed_predecessor(api: FakeDataApi) -> None:
    assert run(try_number=1) == run(try_number=2) == "batch-0"
    assert len(api.batches) == 1


def test_a_retry_after_a_failed_batch_sends_a_new_one(api: FakeDataApi) -> None:
    api.next_status = "FAILED"
    with pytest.raises(warehouse.StatementFailedError, match=r"^SQL batch-0 failed: ERROR: disk full$"):
        run(try_number=1)
    api.next_status = "FINISHED"
    assert run(try_number=2) == "batch-1"
    assert run(try_number=3) == "batch-1"


def test_a_first_try_that_fails_at_once_is_not_repeated_in_the_same_try(api: FakeDataApi) -> None:
    api.next_status = "FAILED"
    with pytest.raises(warehouse.StatementFailedError):
        run(try_number=1)
    assert len(api.batches) == 1
    assert PUSHED[-1] == ("error", "SQL batch-0 failed: ERROR: disk full")


def test_a_cleared_task_runs_its_statements_again(api: FakeDataApi) -> None:
    assert run(try_number=1, max_tries=2) == "batch-0"
    assert run(try_number=2, max_tries=3) == "batch-1"  # clearing after try 1 raises max_tries to 1 + retries


def test_mapped_tasks_send_batches_of_their_own(api: FakeDataApi) -> None:
    assert run(map_index=0) != run(map_index=1)


def test_a_token_is_64_hex_characters_and_names_every_part() -> None:
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)
    other = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=0)
    tokens = {warehouse.client_token(ti), warehouse.client_token(ti, 1), warehouse.client_token(other)}
    assert len(tokens) == 3 and all(len(token) == 64 and int(token, 16) for token in tokens)


def test_a_long_batch_is_deferred_and_its_end_is_the_tasks_end(
    api: FakeDataApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redshift, "WAIT_BEFORE_DEFERRING", 0.0)
    api.next_status = "STARTED"
    with pytest.raises(TaskDeferred) as deferred:
        run()
    trigger = deferred.value.trigger
    assert isinstance(trigger, SqlBatchTrigger)
    name, arguments = trigger.serialize()
    assert name == "concert_platform.triggers.redshift.SqlBatchTrigger"
    assert SqlBatchTrigger(**arguments).statement_id == "batch-0"
    operator = redshift.RunSqlBatchOperator(task_id="load", files=["load/a.sql"])
    assert operator.execute_complete({}, {"statement_id": "batch-0", "status": "FINISHED", "reason": ""}) == "batch-0"
    ti = SimpleNamespace(xcom_push=lambda key, value: None)
    with pytest.raises(warehouse.StatementFailedError, match="disk full"):
        operator.execute_complete({"ti": ti}, {"statement_id": "batch-0", "status": "FAILED", "reason": "disk full"})


def test_a_killed_task_cancels_its_batch(api: FakeDataApi) -> None:
    operator = redshift.RunSqlBatchOperator(task_id="load", files=["load/a.sql"])
    operator.on_kill()
    api.status["batch-0"] = "STARTED"
    operator.statement_id = "batch-0"
    operator.on_kill()
    operator.on_kill()
    assert api.cancelled == ["batch-0"]


@pytest.mark.parametrize(("still_deferred", "cancelled"), [(False, ["batch-0"]), (True, [])])
def test_a_cancelled_trigger_cancels_the_batch_unless_the_task_goes_on_waiting(
    api: FakeDataApi, monkeypatch: pytest.MonkeyPatch, still_deferred: bool, cancelled: list[str]
) -> None:
    api.status["batch-0"] = "STARTED"
    monkeypatch.setattr(SqlBatchTrigger, "is_still_deferred", lambda self: still_deferred)

    async def cancel_once_it_waits() -> None:
        events = SqlBatchTrigger(statement_id="batch-0", poll_interval=60).run()
        waiting = asyncio.ensure_future(anext(events))
        await until_in_loop(lambda: api.looks)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancel_once_it_waits())
    assert api.cancelled == cancelled


def test_a_batch_beyond_the_apis_limits_is_refused_before_it_is_sent(api: FakeDataApi) -> None:
    for statements in (["SELECT 1"] * 41, ["SELECT '" + "x" * 100_000 + "'"], []):
        with pytest.raises(warehouse.StatementFailedError, match="was not sent: a transaction takes 1 to 40"):
            warehouse.submit_batch(statements)
    assert not api.batches
