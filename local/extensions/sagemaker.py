"""SageMaker: training and processing jobs that really run, in a process each (local/engines/sagemaker.py).

The model registry is model_packages.py.
"""

from __future__ import annotations

import contextvars
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json, json_response

from local.engines.jobs import JobProcess, JobResult
from local.engines.sagemaker import ProcessingJob, TrainingJob, job_folder
from local.extensions import model_packages
from local.extensions.model_packages import ConflictError, InvalidRequestError

CONTENT_TYPE = "application/x-amz-json-1.1"
JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
DEFAULT_MAX_SECONDS = 86_400
ENGINES: dict[str, type[TrainingJob] | type[ProcessingJob]] = {"Training": TrainingJob, "Processing": ProcessingJob}

_jobs: dict[str, dict[str, dict[str, Any]]] = {"Training": {}, "Processing": {}}
_processes: dict[str, JobProcess] = {}


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Any:
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    handler = ACTIONS.get(action)
    if handler is None:
        return _error("UnknownOperationException", f"{action} is not run by the local platform", 501)
    try:
        return json_response(handler(json.loads(body or b"{}")), content_type=CONTENT_TYPE)
    except InvalidRequestError as error:
        return _error("ValidationException", str(error))
    except ConflictError as error:
        return _error("ConflictException", str(error))


def _error(code: str, message: str, status: int = 400) -> Any:
    return error_response_json(code, message, status, content_type=CONTENT_TYPE)


def _arn(kind: str, name: str) -> str:
    region, account = os.environ.get("MINISTACK_REGION", "us-east-1"), os.environ.get("MINISTACK_ACCOUNT_ID", "")
    return f"arn:aws:sagemaker:{region}:{account}:{kind.lower()}-job/{name}"


def _arn_of_request(action: str, request: dict[str, Any], region: str, account: str) -> str:
    for kind in _jobs:
        if name := request.get(f"{kind}JobName"):
            return f"arn:aws:sagemaker:{region}:{account}:{kind.lower()}-job/{name}"
    if (name := request.get("ModelPackageArn") or request.get("ModelPackageName", "")).startswith("arn:"):
        return str(name)
    if name := request.get("ModelPackageGroupName"):
        # Not for a resource in AWS's own reference: whoever may list packages may list those of every group.
        return (
            "*" if action == "ListModelPackages" else f"arn:aws:sagemaker:{region}:{account}:model-package-group/{name}"
        )
    return request.get("ResourceArn", "*")


SERVICE = {
    "name": "sagemaker",
    "module": "sagemaker",
    "credential_scope": "sagemaker",
    "target_prefix": "SageMaker.",
    "iam_namespace": "sagemaker",
    "resource_arn": _arn_of_request,
}
# A group with versions keeps its stack from being deleted.
RESOURCE_TYPES = {model_packages.GROUP: {"delete": model_packages.delete_resource}}
PASS_ROLE = {"sagemaker:CreateTrainingJob": "RoleArn", "sagemaker:CreateProcessingJob": "RoleArn"}


# ---------------------------------------------------------------- actions


def _create(kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def create(request: dict[str, Any]) -> dict[str, Any]:
        name = request.get(f"{kind}JobName", "")
        if not JOB_NAME.fullmatch(name):
            raise InvalidRequestError(f"{kind}JobName {name!r} is not 1 to 63 letters, digits and '-'")
        if name in _jobs[kind]:
            raise InvalidRequestError(f"{kind} job {name} already exists: job names are unique")
        now = time.time()
        job = {
            **request,
            f"{kind}JobArn": _arn(kind, name),
            f"{kind}JobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if kind == "Training":
            job["SecondaryStatus"] = "Starting"
        _jobs[kind][name] = job
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(_see_through, kind, name), name=_arn(kind, name), daemon=True
        ).start()
        return {f"{kind}JobArn": job[f"{kind}JobArn"]}

    return create


def _describe(kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def describe(request: dict[str, Any]) -> dict[str, Any]:
        return _job(kind, request)

    return describe


def _stop(kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def stop(request: dict[str, Any]) -> dict[str, Any]:
        job = _job(kind, request)
        process = _processes.get(job[f"{kind}JobArn"])
        if process is None:
            raise InvalidRequestError(f"{kind} job {request[f'{kind}JobName']} is {job[f'{kind}JobStatus']}")
        job[f"{kind}JobStatus"] = "Stopping"
        threading.Thread(target=process.stop, daemon=True).start()
        return {}

    return stop


def _job(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    name = request.get(f"{kind}JobName", "")
    if name not in _jobs[kind]:
        raise InvalidRequestError(f"Requested resource not found: {kind} job {name}.")
    return _jobs[kind][name]


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    **{f"Create{kind}Job": _create(kind) for kind in ENGINES},
    **{f"Describe{kind}Job": _describe(kind) for kind in ENGINES},
    **{f"Stop{kind}Job": _stop(kind) for kind in ENGINES},
    **model_packages.ACTIONS,
}


# ---------------------------------------------------------------- the run


def _see_through(kind: str, name: str) -> None:
    job = _jobs[kind][name]
    log = Path(os.environ["LOCAL_STATE_DIR"]) / "logs" / "sagemaker" / f"{name}.log"
    stopped = False
    try:
        work = ENGINES[kind](name, job, log)
        process = _processes[job[f"{kind}JobArn"]] = work.start()
        job[f"{kind}StartTime"] = time.time()
        result = process.wait(job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_SECONDS))
        stopped = process.was_stopped
        if isinstance(work, TrainingJob):
            work.upload_output()
        if result.succeeded:
            uri = work.finish()
            if kind == "Training":
                job["ModelArtifacts"] = {"S3ModelArtifacts": uri}
                job["FinalMetricDataList"] = metrics_in(log, job)
    except Exception as error:  # noqa: BLE001 - whatever stops a job is its FailureReason
        result = JobResult(False, f"{type(error).__name__}: {error}")
    finally:
        _processes.pop(job[f"{kind}JobArn"], None)
        shutil.rmtree(job_folder(name), ignore_errors=True)  # what is kept lies in S3, and the log among the logs
    status = "Stopped" if stopped else "Completed" if result.succeeded else "Failed"
    if kind == "Training":
        job["SecondaryStatus"] = status
    if not result.succeeded:
        job["FailureReason"] = result.reason[:1024]
    job.update({f"{kind}EndTime": time.time(), "LastModifiedTime": time.time(), f"{kind}JobStatus": status})


def metrics_in(log: Path, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The last value of each metric that the job's MetricDefinitions find in its log."""
    text = log.read_text(errors="replace")
    found = []
    for definition in job["AlgorithmSpecification"].get("MetricDefinitions", []):
        values = re.findall(definition["Regex"], text)
        if values:
            found.append({"MetricName": definition["Name"], "Value": float(values[-1]), "Timestamp": time.time()})
    return found


# ---------------------------------------------------------------- state over a restart


def get_state() -> dict[str, Any]:
    return {"jobs": _jobs, "groups": model_packages.groups}


def load_persisted_state(state: dict[str, Any]) -> None:
    for kind, jobs in state.get("jobs", {}).items():
        for name, job in jobs.items():
            if job[f"{kind}JobStatus"] in ("InProgress", "Stopping"):
                job[f"{kind}JobStatus"] = "Failed"
                job["FailureReason"] = "the local AWS was restarted while the job ran"
            _jobs[kind][name] = job
    for arn, group in state.get("groups", {}).items():
        # A state that was kept as JSON has text where numbers were.
        versions = {int(number): package for number, package in group["versions"].items()}
        model_packages.groups[arn] = {**group, "versions": versions}


def reset() -> None:
    model_packages.groups.clear()
    for jobs in _jobs.values():
        jobs.clear()
