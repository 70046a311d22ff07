"""Wait for a Glue job run, report its own error message, and stop it when the task is killed."""

from __future__ import annotations

import asyncio
from typing import Any

from concert_platform.clients import client
from concert_platform.triggers.waiting import WaitTrigger

# WAITING: Glue queues the run until it has capacity.
ACTIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")


class GlueJobRunTrigger(WaitTrigger):
    """Fire when a job run has ended, or, without a run, when no run of the job is active any more.

    The provider's trigger polls every 60 seconds, needs aiobotocore and raises when the job fails, which hides the
    run's ErrorMessage behind a waiter's message.

    :param job_name: name of the job
    :param run_id: id of the run; None waits for the job to be free
    :param poll_interval: seconds between two looks
    """

    fields = ("job_name", "run_id", "poll_interval")

    def __init__(
        self, *, job_name: str, run_id: str | None = None, poll_interval: float = 1.0, deadline: str | None = None
    ) -> None:
        super().__init__(deadline=deadline)
        self.job_name = job_name
        self.run_id = run_id
        self.poll_interval = poll_interval

    @property
    def what(self) -> str:
        return f"Glue job {self.job_name} run {self.run_id}" if self.run_id else f"Glue job {self.job_name} in use"

    async def look(self) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._look)

    def stop(self) -> None:
        if self.run_id:
            stop_run(self.job_name, self.run_id)

    def _look(self) -> dict[str, Any] | None:
        if self.run_id is not None:
            run = describe_run(self.job_name, self.run_id)
            return None if run["state"] in ACTIVE else {"run_id": self.run_id, **run}
        return None if active_runs(self.job_name) else {"run_id": None}


def describe_run(job_name: str, run_id: str) -> dict[str, str]:
    """State and error message of a run."""
    run = client("glue").get_job_run(JobName=job_name, RunId=run_id)["JobRun"]
    return {"state": run["JobRunState"], "reason": run.get("ErrorMessage", "")}


def active_runs(job_name: str) -> list[str]:
    """Ids of the job's runs that are under way."""
    return [run["Id"] for run in job_runs(job_name) if run["JobRunState"] in ACTIVE]


def job_runs(job_name: str) -> list[dict[str, Any]]:
    """The newest runs of a job, newest first."""
    runs = client("glue").get_job_runs(JobName=job_name, MaxResults=100)["JobRuns"]
    return sorted(runs, key=lambda run: run["StartedOn"], reverse=True)


def stop_run(job_name: str, run_id: str) -> None:
    """Ask Glue to stop a run; one that has ended already is left alone."""
    if describe_run(job_name, run_id)["state"] in ACTIVE:
        client("glue").batch_stop_job_run(JobName=job_name, JobRunIds=[run_id])
