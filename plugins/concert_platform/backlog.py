"""Runs that an earlier DAG run should have brought further and did not: a failed or killed run leaves no gap.

An asset event is consumed by the run that it starts, whether that run succeeds or not. So each DAG of the chain asks
what lies before it and has not come out behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from concert_platform.partitions import Partition, partitions
from concert_platform.settings import settings

INDEX = re.compile(r"raw/_runs/dt=([^/]+)/(.+)\.json")
REPORT = re.compile(r"curated/_reports/dt=([^/]+)/run=(.+)\.json")
FAILURE = re.compile(r"curated/_failed/dt=([^/]+)/run=(.+)\.json")
LOADED_SQL = "SELECT DISTINCT run_id FROM quality.load_audit WHERE status = 'loaded'"


def to_curate(context: Mapping[str, Any]) -> list[Partition]:
    """Partitions of a run of curate_concerts: its own, and ingest runs that have no curated report yet.

    A run that was refused for its data (curated/_failed) waits for a person, who names it in conf.
    """
    own = partitions(context)
    if _named_by_hand(context):
        return own
    done = {*_keys(settings().curated_bucket, "curated/_reports/", REPORT)}
    refused = {*_keys(settings().curated_bucket, "curated/_failed/", FAILURE)}
    indexed = _keys(settings().raw_bucket, "raw/_runs/", INDEX)
    return _together(own, (run for run in indexed if run not in done and run not in refused))


def to_load(context: Mapping[str, Any]) -> list[Partition]:
    """Partitions of a run of load_warehouse: its own, and curated runs that the warehouse does not account for."""
    from concert_platform.warehouse import query

    own = partitions(context)
    if _named_by_hand(context):
        return own
    loaded = {run_id for (run_id,) in query(LOADED_SQL)}
    curated = _keys(settings().curated_bucket, "curated/_reports/", REPORT)
    return _together(own, (run for run in curated if run.run_id not in loaded))


def _named_by_hand(context: Mapping[str, Any]) -> bool:
    return bool((context["dag_run"].conf or {}).get("partitions"))


def _together(own: Iterable[Partition], left: Iterable[Partition]) -> list[Partition]:
    return sorted({*own, *left}, key=lambda partition: (partition.date, partition.run_id or ""))


def _keys(bucket: str, prefix: str, pattern: re.Pattern[str]) -> Iterator[Partition]:
    import boto3

    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if match := pattern.fullmatch(item["Key"]):
                yield Partition(match[1], match[2])
