"""Runs a task's operator as Airflow does, deferrals included, against the local AWS."""

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from airflow.exceptions import TaskDeferred


class TaskInstance:
    """Keeps XComs, as far as the operators use it."""

    map_index = -1
    try_number = 1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value


def make_context(run_id: str = "manual__2026-07-01T05:00:00+00:00", **params: Any) -> dict[str, Any]:
    run = SimpleNamespace(run_id=run_id, run_after=datetime(2026, 7, 1, 5, tzinfo=UTC))
    return {"run_id": run_id, "dag_run": run, "ti": TaskInstance(), "params": params}


def run_task(task: Any, context: Any) -> Any:
    """Result of a task after all its deferrals."""
    step: Any = lambda: task.execute(context)  # noqa: E731
    while True:
        try:
            return step()
        except TaskDeferred as wait:
            # A trigger travels as text to the process that runs it.
            path, arguments = wait.trigger.serialize()
            assert path == f"{type(wait.trigger).__module__}.{type(wait.trigger).__qualname__}"
            event = asyncio.run(anext(type(wait.trigger)(**arguments).run())).payload
            kwargs = {**(wait.kwargs or {}), "event": event}
            step = lambda name=wait.method_name, kwargs=kwargs: task.resume_execution(name, kwargs, context)  # noqa: E731
