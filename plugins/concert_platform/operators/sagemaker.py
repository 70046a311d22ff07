"""SageMaker jobs that a retry goes on with instead of starting them again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.operators.sagemaker import SageMakerProcessingOperator, SageMakerTrainingOperator

from concert_platform.compat import AirflowException, AirflowSkipException
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.triggers.sagemaker import SageMakerJobTrigger, describe_job, stop_job

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST_JOB_NAME = 63
MAX_ATTEMPTS = 20


class SageMakerJobError(AirflowException):
    """A SageMaker job has failed or was stopped."""


class _ReattachingJob(ABC):
    """Create a job under a deterministic name, or go on with the one that a predecessor of this task created.

    The name is the configured one with the number of the attempt; the number rises only after a job that really failed.
    """

    job_type: str
    config: dict[str, Any]
    check_interval: int
    log: Any

    def execute(self, context: Context) -> Any:
        name, status = self._next_attempt(self.config[f"{self.job_type}JobName"])
        self.config[f"{self.job_type}JobName"] = name
        if status == "Completed":
            self.log.info("%s job %s has already completed", self.job_type, name)
            return self._result(name)
        if status == "Missing":
            self._create()
        else:
            self.log.info("%s job %s is in progress: waiting for it", self.job_type, name)
        trigger = SageMakerJobTrigger(job_name=name, job_type=self.job_type, poll_interval=self.check_interval)
        return self.defer(trigger=trigger, method_name="execute_complete")  # type: ignore[attr-defined]

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        job = event or {}
        if job.get("status") != "Completed":
            raise SageMakerJobError(
                f"SageMaker {self.job_type.lower()} job {job.get('job_name')} ended as {job.get('status')}: "
                f"{job.get('reason') or 'no reason given'}; its log is in /aws/sagemaker/{self.job_type}Jobs"
            )
        return self._result(job["job_name"])

    def on_kill(self) -> None:
        stop_job(self.job_type, self.config[f"{self.job_type}JobName"])

    def _next_attempt(self, base: str) -> tuple[str, str]:
        for attempt in range(MAX_ATTEMPTS):
            suffix = f"-{attempt}"
            name = base[: LONGEST_JOB_NAME - len(suffix)].rstrip("-") + suffix
            status = describe_job(self.job_type, name)["status"]
            if status not in ("Failed", "Stopping", "Stopped"):
                return name, status
        raise SageMakerJobError(f"{base} has failed {MAX_ATTEMPTS} times: mend the job, then trigger a new run")

    @abstractmethod
    def _create(self) -> None:
        """Create the job as configured."""

    @abstractmethod
    def _result(self, name: str) -> Any:
        """What the task returns of a job that has completed."""


class TrainModelOperator(FreshRetryMixin, _ReattachingJob, SageMakerTrainingOperator):
    """SageMakerTrainingOperator whose retry reattaches; returns the URI of model.tar.gz.

    :param config: CreateTrainingJob request (templated); the job name gets the attempt's number as suffix; a channel
        whose address is empty is left out
    :param skip_reason: why there is nothing to train (templated); the task then ends skipped with it
    """

    job_type = "Training"
    template_fields: Sequence[str] = ("config", "skip_reason")

    def __init__(self, *, skip_reason: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.skip_reason = skip_reason

    def execute(self, context: Context) -> Any:
        if self.skip_reason:
            raise AirflowSkipException(self.skip_reason)
        self.config["InputDataConfig"] = [
            channel for channel in self.config["InputDataConfig"] if channel["DataSource"]["S3DataSource"]["S3Uri"]
        ]
        return super().execute(context)

    def _create(self) -> None:
        self.preprocess_config()
        self.hook.create_training_job(self.config, wait_for_completion=False, print_log=False)

    def _result(self, name: str) -> str:
        return self.hook.describe_training_job(name)["ModelArtifacts"]["S3ModelArtifacts"]


class ScoreModelOperator(FreshRetryMixin, _ReattachingJob, SageMakerProcessingOperator):
    """SageMakerProcessingOperator whose retry reattaches; returns the URIs of the job's outputs by name.

    :param config: CreateProcessingJob request (templated); the job name gets the attempt's number as suffix; a folder
        without any object is left out: UNLOAD of no rows writes none, and SageMaker takes no empty prefix
    """

    job_type = "Processing"
    template_fields: Sequence[str] = ("config",)

    def _create(self) -> None:
        import boto3

        s3 = boto3.client("s3")
        inputs = self.config["ProcessingInputs"]
        self.config["ProcessingInputs"] = [one for one in inputs if _is_there(s3, one["S3Input"]["S3Uri"])]
        for left_out in [one["InputName"] for one in inputs if one not in self.config["ProcessingInputs"]]:
            self.log.info("there is no row of %s: the job does without", left_out)
        self.preprocess_config()
        self.hook.create_processing_job(self.config, wait_for_completion=False)

    def _result(self, name: str) -> dict[str, str]:
        outputs = self.hook.describe_processing_job(name)["ProcessingOutputConfig"]["Outputs"]
        return {output["OutputName"]: output["S3Output"]["S3Uri"] for output in outputs}


def _is_there(s3: Any, uri: str) -> bool:
    """Whether a folder holds an object; one object is not looked for, the job says when it is missing."""
    place = urlsplit(uri)
    return not uri.endswith("/") or bool(
        s3.list_objects_v2(Bucket=place.netloc, Prefix=place.path.lstrip("/"), MaxKeys=1)["KeyCount"]
    )
