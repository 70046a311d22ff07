"""Runs that an earlier DAG run should have brought further and did not: a failed or killed run leaves no gap.

An asset event is consumed by the run that it starts, whether that run succeeds or not. So each DAG of the chain asks
what lies before it and has not come out behind it. An ingest run may grow (a mended source is added to it), so "come
out" means this very version: the report names the ETag of the index that it was made from, and the audit that of the
report.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from concert_platform.partitions import Partition, partitions
from concert_platform.settings import settings

INDEX = re.compile(r"raw/_runs/dt=([^/]+)/(.+)\.json")
REPORT = re.compile(r"curated/_(?:reports|failed)/dt=([^/]+)/run=(.+)\.json")
# Each run that may be open costs a look at its report. One that is older and never came out is told, not taken up.
LOOK_BACK = timedelta(days=14)
NAMED = 5  # forgotten runs that an alert quotes
# A partition is loaded when all its accounts are, and from one version of its report: a load that ended half-way, a
# batch that outlived its task, and a run that another one's withdrawal concerns have left accounts that are 'partial'.
LOADED_SQL = """
SELECT run_id, MAX(report_etag)
FROM quality.load_audit
WHERE status <> 'failed'
GROUP BY run_id
HAVING COUNT(*) = COUNT(CASE WHEN status = 'loaded' THEN report_etag END) AND MIN(report_etag) = MAX(report_etag)
"""

log = logging.getLogger(__name__)


class Version(NamedTuple):
    """A run as one object says it: the object's ETag tells this version from an earlier one."""

    partition: Partition
    etag: str


def to_curate(context: Mapping[str, Any]) -> list[Partition]:
    """Partitions of a run of curate_concerts: its own, and ingest runs that are not curated as they are now.

    A run that was refused for its data (curated/_failed) waits for a person, who names it in conf; so does one whose
    index is older than LOOK_BACK, of which an alert tells.
    """
    own = partitions(context)
    if _named_by_hand(context):
        return own
    edge = datetime.now(UTC) - LOOK_BACK
    indexed = _versions(settings().raw_bucket, "raw/_runs/", INDEX, since=edge)
    found = _together(own, (run.partition for run in indexed if run.etag not in _curated_from(run.partition)))
    _tell_forgotten(edge, set(own))  # last: what fails before it is tried again, and would tell twice
    return found


def to_load(context: Mapping[str, Any]) -> list[Partition]:
    """Partitions of a run of load_warehouse: its own, and curated runs that the warehouse does not account for."""
    own = partitions(context)
    if _named_by_hand(context):
        return own
    loaded = _loaded()
    curated = _versions(settings().curated_bucket, "curated/_reports/", REPORT)
    return _together(own, (run.partition for run in curated if (run.partition.run_id, run.etag) not in loaded))


def passed(ti: Any, wanted: Iterable[Partition], task_id: str = "curate_records") -> list[Partition]:
    """Of these partitions, those that the task's failed Glue run has published as a whole: it refused others for their
    data, or could not go on after them. None before the run has written a report.

    :param ti: task instance of the same DAG run
    """
    if not (job_run := ti.xcom_pull(task_ids=task_id, key="job_run_id")):
        return []
    import boto3

    s3, found = boto3.client("s3"), []
    bucket, asked = settings().curated_bucket, set(wanted)
    for day in sorted({partition.date for partition in asked}):
        for run, _ in _versions(bucket, f"curated/_reports/dt={day}/", REPORT):
            if run not in asked and Partition(day) not in asked:
                continue
            key = f"curated/_reports/dt={day}/run={run.run_id}.json"
            report = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            if report["job_run_id"] == job_run and not report.get("refused"):
                found.append(run)
    return found


def not_passed(ti: Any, wanted: Iterable[Partition]) -> list[Partition]:
    """Of these partitions, those that the task's failed Glue run has not published as a whole. A day without run id of
    which some runs passed stands for its other ingest runs, else for itself.

    :param ti: task instance of the same DAG run
    """
    asked = list(wanted)
    published = set(passed(ti, asked))
    open_days = {partition.date for partition in published if Partition(partition.date) in asked}
    of_days = (
        run.partition for day in open_days for run in _versions(settings().raw_bucket, f"raw/_runs/dt={day}/", INDEX)
    )
    left = {partition for partition in asked if partition.run_id or partition.date not in open_days} | {*of_days}
    return _together([], left - published)


def to_load_again(context: Mapping[str, Any]) -> list[Partition]:
    """Curated runs of the day of a run of backfill_warehouse: all of them, or on its daily tick those not loaded."""
    days = sorted({partition.date for partition in partitions(context)})
    runs = [run for day in days for run in _versions(settings().curated_bucket, f"curated/_reports/dt={day}/", REPORT)]
    if context["dag_run"].run_type == "scheduled":
        loaded = _loaded()
        runs = [run for run in runs if (run.partition.run_id, run.etag) not in loaded]
    return _together([], (run.partition for run in runs))


def _tell_forgotten(edge: datetime, own: Set[Partition]) -> None:
    """Tell of ingest runs from before a moment that curation has neither published nor refused.

    :param own: partitions that are being curated now; one without run id stands for its day
    """
    from concert_platform.notifications import send_alert

    left = {run.partition for run in _versions(settings().raw_bucket, "raw/_runs/", INDEX, until=edge)}
    for kind in ("_reports", "_failed") if left else ():
        left -= {run.partition for run in _versions(settings().curated_bucket, f"curated/{kind}/", REPORT)}
    left = {run for run in left if run not in own and Partition(run.date) not in own}
    if not left:
        return
    named = [f"{run.date} {run.run_id}" for run in _together(left, [])]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    message = (
        f"{', '.join(named[:NAMED])}{more}: ingested over {LOOK_BACK.days} days ago and never curated. Trigger "
        'curate_concerts with conf {"partitions": [["<day>", "<run>"]]}, or delete the index below raw/_runs/.'
    )
    log.warning("%s", message)
    send_alert("Concert platform: ingest runs were never curated", message)


def _loaded() -> set[tuple[str, str]]:
    """Run id and report version of each run that the warehouse accounts for as a whole."""
    from concert_platform.warehouse import query

    return {(run_id, etag) for run_id, etag in query(LOADED_SQL)}


def _named_by_hand(context: Mapping[str, Any]) -> bool:
    return bool((context["dag_run"].conf or {}).get("partitions"))


def _together(own: Iterable[Partition], left: Iterable[Partition]) -> list[Partition]:
    return sorted({*own, *left}, key=lambda partition: (partition.date, partition.run_id or ""))


def _versions(
    bucket: str, prefix: str, pattern: re.Pattern[str], since: datetime | None = None, until: datetime | None = None
) -> Iterator[Version]:
    """:param since: with until, when an object was written: from then on, and before then"""
    import boto3

    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            match = pattern.fullmatch(item["Key"])
            written = item["LastModified"]
            if match and (since is None or written >= since) and (until is None or written < until):
                yield Version(Partition(match[1], match[2]), item["ETag"].strip('"'))


def _curated_from(run: Partition) -> set[str]:
    """ETags of the index versions that curation has published or refused."""
    import boto3

    s3, found = boto3.client("s3"), set()
    for kind in ("_reports", "_failed"):
        key = f"curated/{kind}/dt={run.date}/run={run.run_id}.json"
        try:
            body = s3.get_object(Bucket=settings().curated_bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            continue
        found.add(json.loads(body)["index_etag"])
    return found
