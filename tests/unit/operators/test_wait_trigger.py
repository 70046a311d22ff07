"""What every trigger of the platform does when looks fail, time is up, or its task goes away."""

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger
from botocore.exceptions import ClientError, EndpointConnectionError

from concert_platform import clients, triggers, warehouse
from concert_platform.operators.fresh_retry import GRACE
from concert_platform.triggers import sagemaker, waiting
from concert_platform.triggers.redshift import SqlBatchTrigger
from concert_platform.triggers.sagemaker import SageMakerJobTrigger
from concert_platform.triggers.waiting import WaitTrigger
from tests.deadlines import until_in_loop

MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)
NO_ANSWER = EndpointConnectionError(endpoint_url="https://glue")
PAUSES = waiting.PAUSES_AFTER_FAILURES
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "GetJobRun")


class Scripted(WaitTrigger):
    """Each look does the next thing of a list, and the last one for ever."""

    poll_interval = 0.0

    def __init__(self, *looks: Any, deadline: str | None = None) -> None:
        super().__init__(deadline=deadline)
        self.looks, self.count, self.stops = looks, 0, 0

    @property
    def what(self) -> str:
        return "job a"

    async def look(self) -> Any:
        found = self.looks[min(self.count, len(self.looks) - 1)]
        self.count += 1
        if isinstance(found, Exception):
            raise found
        return found

    def stop(self) -> None:
        self.stops += 1


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSES_AFTER_FAILURES", (0.0, 0.0, 0.0))


@pytest.fixture
def scripted_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses of a trigger that begins at midnight: its clock goes on by each, and none takes time."""
    made: list[float] = []
    yield_to_others = partial(asyncio.sleep, 0)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return MIDNIGHT + timedelta(seconds=sum(made))

    async def pause(seconds: float) -> None:
        made.append(seconds)
        await yield_to_others()

    monkeypatch.setattr(waiting, "datetime", Clock)
    monkeypatch.setattr(asyncio, "sleep", pause)
    return made


def payload(trigger: WaitTrigger) -> Any:
    async def only() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (event,) = asyncio.run(only())
    return event


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_missing_permission_ends_the_try_at_the_first_look() -> None:
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "GetJobRun")
    trigger = Scripted(denied)
    assert "not authorized" in payload(trigger)["error"]
    assert trigger.count == 1


def test_failed_looks_are_survived_and_counted_anew_after_one_that_worked() -> None:
    trigger = Scripted(NO_ANSWER, THROTTLED, NO_ANSWER, None, THROTTLED, THROTTLED, THROTTLED, {"state": "done"})
    assert payload(trigger) == {"state": "done"}


def test_too_many_failed_looks_in_a_row_are_an_event_with_an_error_and_leave_the_work_alone() -> None:
    trigger = Scripted(NO_ANSWER)
    line = 'job a cannot be waited for: EndpointConnectionError: Could not connect to the endpoint URL: "https://glue"'
    assert payload(trigger) == {"error": f"{line}; the next try looks again"}
    assert (trigger.count, trigger.stops) == (4, 0)


def test_an_error_that_time_does_not_heal_is_an_event_at_once() -> None:
    trigger = Scripted(ValueError("no such\n  state"))
    assert payload(trigger)["error"].startswith("job a cannot be waited for: ValueError: no such state;")
    assert trigger.count == 1


def test_failed_looks_are_repeated_for_minutes_with_growing_pauses() -> None:
    assert sorted(PAUSES) == list(PAUSES)
    assert 240 <= sum(PAUSES) <= 360


def test_looks_that_are_not_answered_last_ten_minutes_and_end_before_airflows_own_timeout() -> None:
    backoff = 1  # second at most between two tries of a client
    look = clients.TRIES * (clients.CONNECT_TIMEOUT + clients.READ_TIMEOUT + backoff)
    assert sum(PAUSES) + (len(PAUSES) + 1) * look <= 600 < GRACE.total_seconds() - look


def test_a_trigger_calls_aws_with_little_patience_since_it_looks_again_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "8")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    found: list[Any] = []

    def look() -> dict[str, Any]:
        found.append(clients.client("glue").meta.config)
        return {"state": "done"}

    trigger = Scripted(None)
    monkeypatch.setattr(trigger, "look", lambda: asyncio.to_thread(look))
    payload(trigger)
    (config,) = found
    assert config.retries["total_max_attempts"] == clients.TRIES == 2
    assert (config.connect_timeout, config.read_timeout) == (clients.CONNECT_TIMEOUT, clients.READ_TIMEOUT)
    assert clients.client("glue").meta.config.retries["total_max_attempts"] == 8, "a task's client is patient"


def test_looks_that_fail_end_at_the_deadline_too_and_the_work_is_stopped(
    monkeypatch: pytest.MonkeyPatch, scripted_pauses: list[float]
) -> None:
    monkeypatch.setattr(waiting, "PAUSES_AFTER_FAILURES", (60.0,) * 9)
    trigger = Scripted(NO_ANSWER, deadline=(MIDNIGHT + timedelta(seconds=90)).isoformat())
    line = f"job a was not through by {trigger.deadline}, the longest wait of a try; the last look: "
    assert payload(trigger)["error"].startswith(f"{line}EndpointConnectionError: Could not connect")
    assert (trigger.count, trigger.stops) == (3, 1)
    assert scripted_pauses == [60, 30], "the last pause ends with the deadline"


def test_a_wait_beyond_its_deadline_is_an_event_with_an_error_and_stops_the_work(scripted_pauses: list[float]) -> None:
    trigger = Scripted(None, deadline=(MIDNIGHT + timedelta(seconds=25)).isoformat())
    trigger.poll_interval = 10.0
    event = payload(trigger)
    assert event["error"].startswith("job a was not through by 2") and event["late"]
    assert (trigger.count, trigger.stops) == (4, 1)
    assert scripted_pauses == [10, 10, 5], "the last pause ends with the deadline"


def test_a_trigger_that_is_taken_over_after_its_deadline_looks_once() -> None:
    assert payload(Scripted({"state": "done"}, deadline=in_seconds(-60))) == {"state": "done"}


def test_work_that_cannot_be_stopped_hides_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    trigger = Scripted(None, deadline=in_seconds(-1))

    def refuse() -> None:
        raise ValueError("no right")

    monkeypatch.setattr(trigger, "stop", refuse)
    assert "was not through" in payload(trigger)["error"]


async def cancel_once(is_waiting: Callable[[], bool], trigger: WaitTrigger) -> None:
    run = asyncio.ensure_future(anext(trigger.run()))
    await until_in_loop(is_waiting)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


def test_a_trigger_that_is_cancelled_again_and_again_stops_its_work_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Airflow cancels each second until the trigger has ended."""
    monkeypatch.setattr(waiting, "PAUSES_AFTER_FAILURES", (0.2,))
    trigger = Scripted(None)
    attempts: list[str] = []

    def stop() -> None:
        attempts.append("failed" if not attempts else "stopped")
        if attempts == ["failed"]:
            raise NO_ANSWER

    monkeypatch.setattr(trigger, "is_still_deferred", lambda: False)
    monkeypatch.setattr(trigger, "stop", stop)

    async def cancel_until_it_ends() -> None:
        run = asyncio.ensure_future(anext(trigger.run()))

        def has_ended() -> bool:
            if trigger.count:  # it waits
                run.cancel()
            return run.done()

        await until_in_loop(has_ended)
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(cancel_until_it_ends())
    assert attempts == ["failed", "stopped"]


@pytest.mark.parametrize("job_type", ["Training", "Processing"])
@pytest.mark.parametrize(("state", "stopped"), [("failed", True), ("scheduled", True), ("deferred", False)])
def test_a_killed_or_cleared_task_stops_its_sagemaker_job(
    monkeypatch: pytest.MonkeyPatch, job_type: str, state: str, stopped: bool
) -> None:
    looks: list[str] = []
    stops: list[dict[str, str]] = []

    def describe(**asked: str) -> dict[str, str]:
        looks.append(asked[f"{job_type}JobName"])
        return {f"{job_type}JobStatus": "InProgress"}

    service = {
        f"describe_{job_type.lower()}_job": describe,
        f"stop_{job_type.lower()}_job": lambda **job: stops.append(job),
    }
    monkeypatch.setattr(sagemaker, "client", lambda _: SimpleNamespace(**service))
    states = {"r": {"train": state}}
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **_: states))
    trigger = SageMakerJobTrigger(job_name="job-0", job_type=job_type, poll_interval=60)
    trigger.task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="train", map_index=-1)
    asyncio.run(cancel_once(lambda: bool(looks), trigger))
    assert stops == ([{f"{job_type}JobName": "job-0"}] if stopped else [])


@pytest.mark.parametrize(
    ("map_index", "states", "expected"),
    [
        (-1, {"r": {"load": "deferred"}}, True),
        (-1, {"r": {"load": "failed"}}, False),
        (2, {"r": {"load_2": "failed"}}, False),
        (-1, {}, False),
    ],
)
def test_a_trigger_knows_the_state_of_its_own_task(
    monkeypatch: pytest.MonkeyPatch, map_index: int, states: dict[str, dict[str, str]], expected: bool
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(lambda **a: asked.append(a) or states))
    trigger = Scripted(None)
    trigger.task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="load", map_index=map_index)
    assert trigger.is_still_deferred() is expected
    assert asked == [{"dag_id": "d", "run_ids": ["r"], "task_ids": ["load"], "map_index": map_index}]


def test_a_triggerer_that_shuts_down_leaves_the_work_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(**_: Any) -> None:
        raise EOFError("connection closed")

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(closed))
    trigger = Scripted(None)
    trigger.task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="load", map_index=-1)
    asyncio.run(cancel_once(lambda: trigger.count > 0, trigger))
    assert trigger.stops == 0


def test_looks_of_several_triggers_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(2, timeout=60)

    def describe(statement_id: str) -> dict[str, str]:
        together.wait()  # breaks when the other look is not made meanwhile
        return {"Id": statement_id, "Status": "FINISHED"}

    monkeypatch.setattr(warehouse, "describe", describe)

    async def both() -> list[str]:
        events = await asyncio.gather(*(anext(SqlBatchTrigger(statement_id=name).run()) for name in "ab"))
        return [event.payload["status"] for event in events]

    assert asyncio.run(both()) == ["FINISHED", "FINISHED"]


ARGUMENTS: dict[str, dict[str, Any]] = {
    "DagRunTrigger": {"dag_id": "d", "run_id": "r", "states": ["success"], "poll_interval": 2.0},
    "DriftDetectionTrigger": {"stack": "s", "poll_interval": 2.0},
    "GlueJobRunTrigger": {"job_name": "j", "run_id": "jr_0", "poll_interval": 2.0},
    "SageMakerJobTrigger": {"job_name": "j", "job_type": "Training", "poll_interval": 2.0},
    "SqlBatchTrigger": {"statement_id": "a", "poll_interval": 2.0},
    "StackIdleTrigger": {"stack": "s", "longest_pause": 2.0},
    "StreamConsumedTrigger": {"positions": {"shard": "7"}, "noted_at": in_seconds(0), "poll_interval": 2.0},
    "WarehouseLoadTrigger": {"run_id": "r", "report_etag": "e", "poll_interval": 2.0, "idle_timeout": 3.0},
}


def all_triggers() -> dict[str, type[BaseTrigger]]:
    modules = [import_module(f"{triggers.__name__}.{module.name}") for module in iter_modules(triggers.__path__)]
    return {
        name: found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, BaseTrigger) and found.__module__ == module.__name__
        and found is not WaitTrigger
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(all_triggers()))
def test_every_trigger_travels_as_text_with_its_deadline(name: str) -> None:
    kind = all_triggers()[name]
    assert issubclass(kind, WaitTrigger)
    sent = kind(**ARGUMENTS[name], deadline=in_seconds(60))
    path, arguments = sent.serialize()
    assert path == f"{kind.__module__}.{name}"
    assert arguments == {**ARGUMENTS[name], "deadline": sent.deadline}
    assert vars(kind(**arguments)) == vars(sent)
