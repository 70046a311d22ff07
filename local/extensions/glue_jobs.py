"""Glue jobs really run: StartJobRun starts the job's script in Spark, and its end is the process's end."""

from __future__ import annotations

import contextvars
import threading
import time
import uuid
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue

from local.engines.glue import GlueJob
from local.engines.jobs import JobProcess, JobResult

RUNNING = ("STARTING", "RUNNING", "STOPPING")
DEFAULT_TIMEOUT_MINUTES = 480  # of Glue 5.0 and later

_processes: dict[str, JobProcess] = {}


def start_job_run(request: dict[str, Any]) -> Any:
    """Answer StartJobRun: the run is recorded, and a thread sees it through."""
    name = request.get("JobName", "")
    if name not in glue._jobs:
        return error_response_json("EntityNotFoundException", f"Job {name} not found", 400)
    job = glue._jobs[name]
    runs = glue._job_runs.setdefault(name, [])
    _fail_lost_runs(name)
    allowed = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
    if sum(run["JobRunState"] in RUNNING for run in runs) >= allowed:
        return error_response_json(
            "ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}: at most {allowed}", 400
        )
    run = _new_run(job, name, request)
    runs.append(run)
    context = contextvars.copy_context()  # holds the account and region of the request
    threading.Thread(target=context.run, args=(_see_through, run, job), name=run["Id"], daemon=True).start()
    return json_response({"JobRunId": run["Id"]})


def _new_run(job: dict[str, Any], name: str, request: dict[str, Any]) -> dict[str, Any]:
    now = int(time.time())
    return {
        "Id": f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
        "JobName": name,
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": request.get("Arguments", {}),
        "Attempt": 0,
        "ExecutionTime": 0,
        "Timeout": request.get("Timeout") or job.get("Timeout", DEFAULT_TIMEOUT_MINUTES),
        "WorkerType": job.get("WorkerType", "G.1X"),
        "NumberOfWorkers": job.get("NumberOfWorkers", 2),
        "GlueVersion": job.get("GlueVersion", "5.1"),
        "LogGroupName": "/aws-glue/jobs",
    }


def _see_through(run: dict[str, Any], job: dict[str, Any]) -> None:
    run_id = run["Id"]
    arguments = {
        **job.get("DefaultArguments", {}),
        "--JOB_NAME": run["JobName"],
        "--JOB_RUN_ID": run_id,
        **run["Arguments"],
    }
    work = GlueJob(run_id=run_id, script=job["Command"]["ScriptLocation"], arguments=arguments, role_arn=job["Role"])
    try:
        process = _processes[run_id] = work.start()
        _change(run, JobRunState="RUNNING")
        result = process.wait(run["Timeout"] * 60)
        state = "STOPPED" if process.was_stopped else "SUCCEEDED" if result.succeeded else "FAILED"
    except Exception as error:  # noqa: BLE001 - whatever stops a run is the run's error message
        result, state = JobResult(False, f"{job['Command']['ScriptLocation']} could not be started: {error}"), "FAILED"
    finally:
        _processes.pop(run_id, None)
        work.publish_log()
        work.clean_up()
    _change(run, JobRunState=state, CompletedOn=int(time.time()))
    run["ExecutionTime"] = run["CompletedOn"] - run["StartedOn"]
    if not result.succeeded:
        run["ErrorMessage"] = result.reason


def _change(run: dict[str, Any], **values: Any) -> None:
    run.update(values, LastModifiedOn=int(time.time()))


def batch_stop_job_run(request: dict[str, Any]) -> Any:
    """Answer BatchStopJobRun by stopping the process."""
    stopped, errors = [], []
    for run_id in request.get("JobRunIds", []):
        process = _processes.get(run_id)
        name = {"JobName": request["JobName"], "JobRunId": run_id}
        if process is None:
            detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": f"Run {run_id} is not running"}
            errors.append({**name, "ErrorDetail": detail})
        else:
            threading.Thread(target=process.stop, daemon=True).start()
            stopped.append(name)
    return json_response({"SuccessfulSubmissions": stopped, "Errors": errors})


def _fail_lost_runs(name: str) -> None:
    """A run that was under way when the emulator ended has no process any more."""
    threads = {thread.name for thread in threading.enumerate()}
    for run in glue._job_runs.get(name, []):
        if run["JobRunState"] in RUNNING and run["Id"] not in threads:
            _change(run, JobRunState="FAILED", CompletedOn=int(time.time()))
            run["ErrorMessage"] = "the local AWS was restarted while the job ran: start the job again"


_get_job_run, _get_job_runs = glue._get_job_run, glue._get_job_runs


def get_job_run(request: dict[str, Any]) -> Any:
    _fail_lost_runs(request.get("JobName", ""))
    return _get_job_run(request)


def get_job_runs(request: dict[str, Any]) -> Any:
    """Newest first, as Glue answers."""
    name = request.get("JobName", "")
    _fail_lost_runs(name)
    return json_response({"JobRuns": list(reversed(glue._job_runs.get(name, [])))})


PATCHES = {
    "ministack.services.glue._start_job_run": start_job_run,
    "ministack.services.glue._batch_stop_job_run": batch_stop_job_run,
    "ministack.services.glue._get_job_run": get_job_run,
    "ministack.services.glue._get_job_runs": get_job_runs,
}
PASS_ROLE = {"glue:CreateJob": "Role"}
