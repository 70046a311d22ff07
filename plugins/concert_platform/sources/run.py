"""The ingest run that a task works for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from concert_platform.partitions import run_slug


class IngestRun(NamedTuple):
    """One run of ingest_concerts.

    :param dt: day of `as_of`, which is the partition's date
    :param run_id: slug of the Airflow run id
    """

    dt: str
    run_id: str


def ingest_run(context: Mapping[str, Any]) -> IngestRun:
    """The run of a task's context: `as_of` from the params, else the day of run_after.

    :raises ValueError: when `as_of` is no calendar day
    """
    dag_run = context["dag_run"]
    as_of = context["params"].get("as_of") or dag_run.run_after.date().isoformat()
    return IngestRun(dt=date.fromisoformat(as_of).isoformat(), run_id=run_slug(dag_run.run_id))
