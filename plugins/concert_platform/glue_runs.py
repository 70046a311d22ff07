"""What there is to know of a Glue job run once it has ended: its figures, and the end of its log. No Airflow import."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

LAST_LINES = 40
DPU_OF_WORKER = {"G.025X": 0.25, "G.1X": 1.0, "G.2X": 2.0, "G.4X": 4.0, "G.8X": 8.0}


def figures(job_name: str, run_id: str) -> dict[str, float]:
    """Seconds that a run has taken, and DPU-seconds that it is billed for."""
    import boto3

    run = boto3.client("glue").get_job_run(JobName=job_name, RunId=run_id)["JobRun"]
    seconds = float(run.get("ExecutionTime", 0))
    # Glue itself counts only where workers come and go.
    return {"seconds": seconds, "dpu_seconds": float(run.get("DPUSeconds") or seconds * _dpus(run))}


def _dpus(run: dict[str, Any]) -> float:
    if "MaxCapacity" in run:
        return float(run["MaxCapacity"])
    return DPU_OF_WORKER.get(run.get("WorkerType", ""), 1.0) * run.get("NumberOfWorkers", 1)


def last_log_lines(log_groups: Iterable[str], run_id: str) -> Iterator[str]:
    """The end of a run's log, group by group; a group that the run has not written to has none.

    :param log_groups: of what the script prints and of what Spark says
    :raises botocore.exceptions.ClientError: when the role may not read them
    """
    import boto3

    logs = boto3.client("logs")
    for group in log_groups:
        try:
            answer = logs.get_log_events(
                logGroupName=group, logStreamName=run_id, limit=LAST_LINES, startFromHead=False
            )
        except logs.exceptions.ResourceNotFoundException:
            continue
        yield from (event["message"].rstrip("\n") for event in answer["events"])
