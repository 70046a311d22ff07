"""What the DAGs tell CloudWatch: the alarms and dashboards of the monitoring stack read it. No Airflow import.

LoadedPartitions, LoadedRows           a load that is in core and passed every check, by environment
JobRunSeconds, JobRunDpuSeconds        a Glue job run that has ended, by environment and job
CuratedRecords                         records that a curation has read, by environment
Stream...                              what producers sent (streams/records.py), how the stream stands (health.py)
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from concert_platform.settings import settings
from concert_platform.warehouse import query

NAMESPACE = "ConcertPlatform"  # the execution role may write into no other

logger = logging.getLogger(__name__)


def publish_load(loads: Sequence[Mapping[str, Any]]) -> None:
    """Report partitions whose load has succeeded: their absence for a day is what the freshness alarm waits for.

    A report that CloudWatch does not take is logged and fails nothing: the data is in, and the alarm will say so.

    :param loads: as list_loads gives them, at least one
    """
    values = {"LoadedPartitions": len(loads), "LoadedRows": _rows_in_core([load["run_id"] for load in loads])}
    publish(values)


def publish_job_run(job_name: str, figures: Mapping[str, float]) -> None:
    """Report what a Glue job run has taken.

    :param figures: seconds and dpu_seconds, as glue_runs gives them
    """
    values = {"JobRunSeconds": figures["seconds"], "JobRunDpuSeconds": figures["dpu_seconds"]}
    publish(values, JobName=job_name)


def publish_curation(loads: Sequence[Mapping[str, Any]]) -> None:
    """Report how many records the curated runs have read."""
    publish({"CuratedRecords": sum(load["records"] for load in loads)})


def publish(values: Mapping[str, float], **dimensions: str) -> None:
    """Report values by the name of their metric, in one request; one that CloudWatch does not take is logged."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    named = {"Environment": settings().environment, **dimensions}
    data = [
        {"MetricName": name, "Dimensions": [{"Name": key, "Value": text} for key, text in named.items()],
         "Value": value, "Unit": "Seconds" if name.endswith("Seconds") else "Count"}
        for name, value in values.items()
    ]  # fmt: skip
    try:
        boto3.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)
    except (BotoCoreError, ClientError) as error:
        logger.warning("%s not reported to CloudWatch: %s", ", ".join(values), error)


def _rows_in_core(run_ids: Sequence[str]) -> int:
    runs = {f"run_{number}": run_id for number, run_id in enumerate(run_ids)}
    names = ", ".join(f":{name}" for name in runs)
    [[rows]] = query(
        f"SELECT NVL(SUM(loaded_count), 0) FROM quality.load_audit WHERE run_id IN ({names})",  # noqa: S608 - names only
        **runs,
    )
    return int(rows)
