"""RunDagOperator: which run of the other DAG it asks for, waits for, or takes as it is."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred
from airflow.providers.standard.operators.trigger_dagrun import XCOM_RUN_ID
from airflow.sdk.api.datamodels._generated import DagRunState
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import DagRunStateResult, DRCount, GetDagRunState, GetDRCount, TriggerDagRun

from concert_platform.compat import AirflowFailException
from concert_platform.operators.run_dag import RunDagOperator
from concert_platform.triggers.dag_run import DagRunTrigger


class Supervisor:
    """Answers as Airflow's supervisor does, for one DAG that may have one run."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.asked_for: list[TriggerDagRun] = []

    def send(self, msg: Any) -> Any:
        if isinstance(msg, GetDRCount):
            return DRCount(count=int(self.state in msg.states if msg.states else self.state is not None))
        if isinstance(msg, GetDagRunState):
            return DagRunStateResult(state=DagRunState(self.state))
        self.asked_for.append(TriggerDagRun.model_validate(msg))
        self.state = "queued"
        return None


class PushingTask(task_runner.RuntimeTaskInstance):
    """Airflow's own, made without a server."""


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    fake = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", fake, raising=False)
    return fake


@pytest.fixture(autouse=True)
def pushed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(PushingTask, "xcom_push", lambda self, key, value: found.update({key: value}))
    return found


def execute() -> Any:
    task = RunDagOperator(
        task_id="t", trigger_dag_id="ingest_concerts", trigger_run_id="r", conf={"as_of": "2026-07-03"}
    )
    return task.execute({"ti": PushingTask.model_construct()})


def waiting_for() -> DagRunTrigger:
    with pytest.raises(TaskDeferred) as deferred:
        execute()
    assert isinstance(deferred.value.trigger, DagRunTrigger)
    return deferred.value.trigger


@pytest.mark.parametrize(("state", "reset"), [(None, False), ("failed", True)])
def test_a_run_that_is_missing_or_has_failed_is_asked_for_and_waited_for(
    supervisor: Supervisor, pushed: dict[str, Any], state: str | None, reset: bool
) -> None:
    supervisor.state = state
    trigger = waiting_for()
    (request,) = supervisor.asked_for
    assert (request.dag_id, request.run_id, request.conf) == ("ingest_concerts", "r", {"as_of": "2026-07-03"})
    assert request.reset_dag_run is reset
    assert (trigger.dag_id, trigger.run_id, trigger.states) == ("ingest_concerts", "r", ["success", "failed"])
    assert pushed == {"trigger_run_id": "r"}


@pytest.mark.parametrize("state", [None, "failed", "queued", "running", "success"])
def test_the_link_to_the_run_has_its_id_however_the_run_is_found(
    supervisor: Supervisor, pushed: dict[str, Any], state: str | None
) -> None:
    supervisor.state = state
    with suppress(TaskDeferred):
        execute()
    assert pushed == {XCOM_RUN_ID: "r"}


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_run_in_progress_is_waited_for(supervisor: Supervisor, state: str) -> None:
    supervisor.state = state
    assert waiting_for().run_id == "r"
    assert supervisor.asked_for == []


def test_a_run_that_has_succeeded_is_taken_as_it_is(supervisor: Supervisor) -> None:
    supervisor.state = "success"
    assert execute() is None
    assert supervisor.asked_for == []


@pytest.mark.parametrize("end", ["success", "failed"])
def test_the_trigger_fires_once_the_run_has_ended(supervisor: Supervisor, end: str) -> None:
    supervisor.state = "running"
    trigger = waiting_for()

    async def first() -> Any:
        waiting = asyncio.ensure_future(anext(DagRunTrigger(**{**trigger.serialize()[1], "poll_interval": 0.0}).run()))
        await asyncio.sleep(0)
        supervisor.state = end
        return (await waiting).payload

    event = asyncio.run(first())
    assert event == {"run_id": "r", "state": end} and type(event["state"]) is str
    task = RunDagOperator(task_id="t", trigger_dag_id="ingest_concerts", trigger_run_id="r")
    if end == "success":
        task.execute_complete({}, event)
    else:
        with pytest.raises(AirflowFailException, match=r"^ingest_concerts run r has failed: look at its failed tasks$"):
            task.execute_complete({}, event)
