"""A retry of a deferred task begins anew instead of failing with what the attempt before was resumed with."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest
from airflow.exceptions import TaskDeferralError, TaskDeferralTimeout, TaskDeferred
from airflow.models.trigger import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger

from concert_platform import operators, sensors
from concert_platform.compat import AirflowFailException
from concert_platform.dag_defaults import EXECUTION_TIMEOUT
from concert_platform.operators import fresh_retry
from concert_platform.operators.fresh_retry import GRACE, FreshRetryMixin, WaitFailedError
from concert_platform.triggers.cloudformation import StackIdleTrigger
from concert_platform.triggers.waiting import WaitTrigger


class Broken(WaitTrigger):
    """Its first look fails."""

    poll_interval = 0.0

    @property
    def what(self) -> str:
        return "job a"

    async def look(self) -> dict[str, Any]:
        raise ValueError("broken")


class Waiting(FreshRetryMixin, BaseOperator):
    """Defers at once, and fails when what it waited for has failed."""

    def execute(self, context: Any) -> str:
        self.defer(trigger=Broken(), method_name="execute_complete", kwargs={"name": "a"})

    def execute_complete(self, context: Any, name: str, event: str) -> str:
        if event == "failed":
            raise ValueError(f"{name} has failed")
        return event


class Attempt:
    """Task instance with the XComs of its task, which outlive an attempt that began with a return."""

    map_index = -1

    def __init__(self) -> None:
        self.try_number = 1
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *, key: str, map_indexes: int) -> Any:
        return self.xcoms.get(key)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = {"ti": Attempt()}
    monkeypatch.setattr(fresh_retry, "get_current_context", lambda: found)
    return found


def deferred(task: Waiting, context: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    return caught.value


def test_the_attempt_that_waited_gets_its_event(running: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    kwargs = {**deferred(task, running).kwargs, "event": "done"}
    assert task.resume_execution("execute_complete", kwargs, running) == "done"


def test_the_attempt_that_waited_fails_with_what_it_waited_for(running: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    kwargs = {**deferred(task, running).kwargs, "event": "failed"}
    with pytest.raises(ValueError, match="a has failed"):
        task.resume_execution("execute_complete", kwargs, running)


def test_the_next_attempt_begins_anew(running: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    stale = {**deferred(task, running).kwargs, "event": "failed"}
    running["ti"].try_number = 2
    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("execute_complete", stale, running)
    assert again.value.kwargs[fresh_retry.ATTEMPT] == 2


def test_a_trigger_that_breaks_in_attempt_1_fails_it_in_one_line_and_attempt_2_begins_anew(
    running: dict[str, Any],
) -> None:
    task = Waiting(task_id="waiting")
    wait = deferred(task, running)
    event = asyncio.run(anext(wait.trigger.run())).payload
    kwargs = {**wait.kwargs, "event": event}
    with pytest.raises(
        WaitFailedError, match=r"^job a cannot be waited for: ValueError: broken; the next try looks again$"
    ):
        task.resume_execution(wait.method_name, dict(kwargs), running)
    assert running["ti"].xcoms["error"] == event["error"]
    running["ti"].try_number = 2
    with pytest.raises(TaskDeferred):
        task.resume_execution(wait.method_name, kwargs, running)
    assert running["ti"].xcoms["error"] == "", "what attempt 1 has failed of is no error of attempt 2"


class WaitingForOthers(Waiting):
    """Has no work of its own to begin anew."""

    only_waits = True


@pytest.mark.parametrize(
    ("kind", "event", "error"),
    [
        (Waiting, {"error": "late", "late": True}, WaitFailedError),
        (WaitingForOthers, {"error": "late", "late": True}, AirflowFailException),
        (WaitingForOthers, {"error": "AWS does not answer"}, WaitFailedError),
    ],
)
def test_who_only_waits_for_others_is_not_tried_again_after_its_deadline(
    running: dict[str, Any], kind: type[Waiting], event: dict[str, Any], error: type[Exception]
) -> None:
    task = kind(task_id="waiting")
    kwargs = {**deferred(task, running).kwargs, "event": event}
    with pytest.raises(error, match=f"^{event['error']}$"):
        task.resume_execution("execute_complete", kwargs, running)


def test_the_sensors_and_the_run_of_another_dag_only_wait() -> None:
    waits = {name for module in MODULES for name, found in vars(module).items() if getattr(found, "only_waits", False)}
    assert waits == {"RunDagOperator", "StreamConsumedSensor", "WarehouseLoadSensor"}


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (TriggerFailureReason.TRIGGER_FAILURE, TaskDeferralError),
        (TriggerFailureReason.TRIGGER_TIMEOUT, TaskDeferralTimeout),
    ],
)
def test_what_airflow_fails_is_failed_once_and_each_next_attempt_begins_anew(
    running: dict[str, Any], reason: TriggerFailureReason, error: type[Exception]
) -> None:
    task, failure = Waiting(task_id="waiting"), {"error": reason.value}
    deferred(task, running)
    for attempt in (1, 2):
        with pytest.raises(error):
            task.resume_execution(TRIGGER_FAIL_REPR, failure, running)
        running["ti"].try_number = attempt + 1
        with pytest.raises(TaskDeferred):
            task.resume_execution(TRIGGER_FAIL_REPR, failure, running)


def test_a_task_without_a_timeout_waits_as_long_as_our_dags_let_a_try_take(running: dict[str, Any]) -> None:
    assert deferred(Waiting(task_id="waiting"), running).timeout == EXECUTION_TIMEOUT + GRACE


SOME: dict[str, dict[str, Any]] = {
    "DeleteStackOperator": {"stack": "s"},
    "DetectDriftOperator": {"stack": "s"},
    "ExecuteChangesOperator": {"stack": "s", "change_set": {}},
    "LoadPartitionOperator": {"values": {}},
    "ReviewChangesOperator": {"stack": "s"},
    "RunDagOperator": {"trigger_dag_id": "d", "trigger_run_id": "r"},
    "RunGlueJobOperator": {"job_name": "j"},
    "RunSqlBatchOperator": {"files": []},
    "ScoreModelOperator": {"config": {}},
    "StreamConsumedSensor": {"ingest_run_id": "r"},
    "TrainModelOperator": {"config": {}},
    "WarehouseLoadSensor": {"ingest_run_id": "r"},
}
MODULES = [
    import_module(f"{package.__name__}.{module.name}")
    for package in (operators, sensors)
    for module in iter_modules(package.__path__)
]


def deferring() -> dict[str, type[BaseOperator]]:
    """Operators and sensors of the package that defer somewhere in their own classes."""
    found = {}
    for module in MODULES:
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and issubclass(kind, BaseOperator) and kind.__module__ == module.__name__:
                own = [part for part in kind.__mro__ if part.__module__.startswith("concert_platform.")]
                if any("self.defer(" in inspect.getsource(part) for part in own):
                    found[name] = kind
    return found


@pytest.mark.parametrize("name", sorted(deferring()))
def test_every_wait_of_every_operator_and_sensor_has_a_deadline(name: str) -> None:
    task: Any = deferring()[name](task_id="t", execution_timeout=timedelta(minutes=7), **SOME[name])
    with pytest.raises(TaskDeferred) as waiting:
        task.defer(trigger=StackIdleTrigger(stack="s"), method_name="execute_complete")
    left = datetime.fromisoformat(waiting.value.trigger.deadline) - datetime.now(UTC)
    assert timedelta(minutes=6) < left <= timedelta(minutes=7)
    assert waiting.value.timeout == timedelta(minutes=7) + GRACE


def test_operators_and_sensors_use_only_triggers_with_a_deadline() -> None:
    used = {kind for module in MODULES for kind in vars(module).values() if inspect.isclass(kind)}
    assert [kind for kind in used if issubclass(kind, BaseTrigger) and not issubclass(kind, WaitTrigger)] == []
