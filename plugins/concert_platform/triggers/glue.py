"""Wait for a Glue job run, report its own error message, and stop it when the task is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

# WAITING: Glue queues the run until it has capacity.
ACTIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")
SHUTTING_DOWN = "EOF - shutting down"  # what the triggerer cancels its triggers with when it ends


class GlueJobRunTrigger(BaseTrigger):
    """Fire when a job run has ended, or, without a run, when no run of the job is active any more.

    The provider's trigger polls every 60 seconds, needs aiobotocore and raises when the job fails, which hides the
    run's ErrorMessage behind a waiter's message.

    :param job_name: name of the job
    :param run_id: id of the run; None waits for the job to be free
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, job_name: str, run_id: str | None = None, poll_interval: float = 1.0) -> None:
        super().__init__()
        self.job_name = job_name
        self.run_id = run_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"job_name": self.job_name, "run_id": self.run_id, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        try:
            # Not by sync_to_async, which loses the message of a cancellation during the look.
            while (found := await asyncio.to_thread(self._look)) is None:
                await asyncio.sleep(self.poll_interval)
        except asyncio.CancelledError as error:
            # on_kill is not called on a deferred task.
            if self.run_id and SHUTTING_DOWN not in error.args and not await sync_to_async(self._is_deferred)():
                await sync_to_async(stop_run)(self.job_name, self.run_id)
            raise
        yield TriggerEvent(found)

    def _look(self) -> dict[str, Any] | None:
        if self.run_id is not None:
            run = describe_run(self.job_name, self.run_id)
            return None if run["state"] in ACTIVE else {"run_id": self.run_id, **run}
        return None if active_runs(self.job_name) else {"run_id": None}

    def _is_deferred(self) -> bool:
        """Whether the task still waits for this trigger, which another triggerer has then taken over."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        ti: Any = self.task_instance
        if ti is None:
            return True
        states = RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
        return "deferred" in states.get(ti.run_id, {}).values()


def describe_run(job_name: str, run_id: str) -> dict[str, str]:
    """State and error message of a run."""
    import boto3

    run = boto3.client("glue").get_job_run(JobName=job_name, RunId=run_id)["JobRun"]
    return {"state": run["JobRunState"], "reason": run.get("ErrorMessage", "")}


def active_runs(job_name: str) -> list[str]:
    """Ids of the job's runs that are under way."""
    return [run["Id"] for run in job_runs(job_name) if run["JobRunState"] in ACTIVE]


def job_runs(job_name: str) -> list[dict[str, Any]]:
    """The newest runs of a job, newest first."""
    import boto3

    runs = boto3.client("glue").get_job_runs(JobName=job_name, MaxResults=100)["JobRuns"]
    return sorted(runs, key=lambda run: run["StartedOn"], reverse=True)


def stop_run(job_name: str, run_id: str) -> None:
    """Ask Glue to stop a run; one that has ended already is left alone."""
    import boto3

    if describe_run(job_name, run_id)["state"] in ACTIVE:
        boto3.client("glue").batch_stop_job_run(JobName=job_name, JobRunIds=[run_id])
