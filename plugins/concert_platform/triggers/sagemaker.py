"""Wait for a SageMaker job, report its own failure reason, and stop it when the task is killed."""

from __future__ import annotations

import asyncio
from typing import Any

from concert_platform.clients import client
from concert_platform.triggers.waiting import WaitTrigger

TERMINAL = ("Completed", "Failed", "Stopped")


class SageMakerJobTrigger(WaitTrigger):
    """Fire when a training or processing job has ended.

    The provider's trigger raises when a job fails, which hides the job's FailureReason behind a waiter's message.

    :param job_name: name of the job
    :param job_type: ``Training`` or ``Processing``
    :param poll_interval: seconds between two looks
    """

    fields = ("job_name", "job_type", "poll_interval")

    def __init__(
        self, *, job_name: str, job_type: str, poll_interval: float = 5.0, deadline: str | None = None
    ) -> None:
        super().__init__(deadline=deadline)
        self.job_name = job_name
        self.job_type = job_type
        self.poll_interval = poll_interval

    @property
    def what(self) -> str:
        return f"SageMaker {self.job_type.lower()} job {self.job_name}"

    async def look(self) -> dict[str, Any] | None:
        job = await asyncio.to_thread(describe_job, self.job_type, self.job_name)
        return {"job_name": self.job_name, **job} if job["status"] in TERMINAL else None

    def stop(self) -> None:
        stop_job(self.job_type, self.job_name)


def describe_job(job_type: str, job_name: str) -> dict[str, str]:
    """Status and failure reason of a job; status ``Missing`` when there is none of that name."""
    from botocore.exceptions import ClientError

    sagemaker = client("sagemaker")
    describe = getattr(sagemaker, f"describe_{job_type.lower()}_job")
    try:
        job = describe(**{f"{job_type}JobName": job_name})
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return {"status": "Missing", "reason": error.response["Error"]["Message"]}
        raise
    return {"status": job[f"{job_type}JobStatus"], "reason": job.get("FailureReason", "")}


def stop_job(job_type: str, job_name: str) -> None:
    """Ask SageMaker to stop a job; one that has ended already is left alone."""
    if describe_job(job_type, job_name)["status"] == "InProgress":
        getattr(client("sagemaker"), f"stop_{job_type.lower()}_job")(**{f"{job_type}JobName": job_name})
