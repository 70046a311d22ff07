"""Wait for a SageMaker job, report its own failure reason, and stop it when the task is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

TERMINAL = ("Completed", "Failed", "Stopped")


class SageMakerJobTrigger(BaseTrigger):
    """Fire when a training or processing job has ended.

    The provider's trigger raises when a job fails, which hides the job's FailureReason behind a waiter's message.

    :param job_name: name of the job
    :param job_type: ``Training`` or ``Processing``
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, job_name: str, job_type: str, poll_interval: float = 5.0) -> None:
        super().__init__()
        self.job_name = job_name
        self.job_type = job_type
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"job_name": self.job_name, "job_type": self.job_type, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while (job := await sync_to_async(describe_job)(self.job_type, self.job_name))["status"] not in TERMINAL:
            await asyncio.sleep(self.poll_interval)
        yield TriggerEvent({"job_name": self.job_name, **job})


def describe_job(job_type: str, job_name: str) -> dict[str, str]:
    """Status and failure reason of a job; status ``Missing`` when there is none of that name."""
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("sagemaker")
    describe = getattr(client, f"describe_{job_type.lower()}_job")
    try:
        job = describe(**{f"{job_type}JobName": job_name})
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return {"status": "Missing", "reason": error.response["Error"]["Message"]}
        raise
    return {"status": job[f"{job_type}JobStatus"], "reason": job.get("FailureReason", "")}


def stop_job(job_type: str, job_name: str) -> None:
    """Ask SageMaker to stop a job; one that has ended already is left alone."""
    import boto3

    if describe_job(job_type, job_name)["status"] == "InProgress":
        getattr(boto3.client("sagemaker"), f"stop_{job_type.lower()}_job")(**{f"{job_type}JobName": job_name})
