"""A retry of a deferred task begins anew instead of failing with the event of the attempt before."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator

from concert_platform.operators import fresh_retry
from concert_platform.operators.fresh_retry import FreshRetryMixin


class Waiting(FreshRetryMixin, BaseOperator):
    """Defers at once, and fails when what it waited for has failed."""

    def execute(self, context: Any) -> str:
        from datetime import timedelta

        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=1)), method_name="execute_complete", kwargs={"name": "a"})

    def execute_complete(self, context: Any, name: str, event: str) -> str:
        if event == "failed":
            raise ValueError(f"{name} has failed")
        return event


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found = {"ti": SimpleNamespace(try_number=1)}
    monkeypatch.setattr(fresh_retry, "get_current_context", lambda: found)
    return found


def deferred(task: Waiting, context: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as caught:
        task.execute(context)
    return caught.value


def test_the_attempt_that_waited_gets_its_event(context: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    kwargs = {**deferred(task, context).kwargs, "event": "done"}
    assert task.resume_execution("execute_complete", kwargs, context) == "done"


def test_the_attempt_that_waited_fails_with_what_it_waited_for(context: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    kwargs = {**deferred(task, context).kwargs, "event": "failed"}
    with pytest.raises(ValueError, match="a has failed"):
        task.resume_execution("execute_complete", kwargs, context)


def test_the_next_attempt_begins_anew(context: dict[str, Any]) -> None:
    task = Waiting(task_id="waiting")
    stale = {**deferred(task, context).kwargs, "event": "failed"}
    context["ti"].try_number = 2
    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("execute_complete", stale, context)
    assert again.value.kwargs[fresh_retry.ATTEMPT] == 2
