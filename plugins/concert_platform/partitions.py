"""Which partitions a run works on: a partition is a date and the ingest run that delivered it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from hashlib import sha256
from typing import Any, NamedTuple

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
# Run ids that Airflow and `make run` give: those that differ have slugs that differ. Airflow ends one without a logical
# date with eight random letters and digits.
_GIVEN = re.compile(
    r"[a-z]+(_[a-z]+)*__\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d(\.\d+)?\+00:00(_[A-Za-z0-9]{8})?|\d\d-\d\d-\d\d)"
)


class Partition(NamedTuple):
    """One ingest run of one day; without a run id, every ingest run of that day."""

    date: str
    run_id: str | None = None


def run_slug(run_id: str) -> str:
    """Turn an Airflow run id into a slug of letters, digits and '-' that may stand in a path.

    Rows are loaded and withdrawn by it, so that no two runs may share one: an id that somebody has made up, and that
    the slug spells otherwise, has eight digits of its SHA-256 at the end. A slug is its own: one typed by hand that is
    that of another run stands for that run.

    >>> run_slug("manual__2026-03-04T05:06:07.123456+00:00")
    'manual-2026-03-04t05-06-07-123456-00-00'
    >>> run_slug("Fix 1"), run_slug("fix_1"), run_slug("fix-1")
    ('fix-1-a44fde1c', 'fix-1-80b8c76e', 'fix-1')
    """
    slug = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")
    if SLUG.fullmatch(slug) and (slug == run_id or _GIVEN.fullmatch(run_id)):
        return slug
    exact = sha256(run_id.encode()).hexdigest()[:8]
    return f"{slug[:91].rstrip('-')}-{exact}".lstrip("-")


def parse_partition(value: Any) -> Partition:
    """Check one ``[date, run id]`` or date from a run's conf or an asset event.

    :raises ValueError: when the date is no calendar day or the run id no slug
    """
    day, run_id = (value, None) if isinstance(value, str) else (*value, None)[:2]
    date.fromisoformat(day)
    if run_id is not None and not SLUG.fullmatch(run_id):
        raise ValueError(f"run id {run_id!r} of partition {day} is no slug of letters, digits and '-'")
    return Partition(day, run_id)


def partitions(context: Mapping[str, Any]) -> list[Partition]:
    """Sorted partitions of a run: from conf, else all triggering asset events, else its dates.

    Several queued asset events may start one run, and a run started by hand has no data interval, hence this order:
    ``conf["partitions"]``, the events' extras, ``logical_date``, ``run_after``.
    """
    dag_run = context["dag_run"]
    wanted: Iterable[Any] = (dag_run.conf or {}).get("partitions") or _from_events(context)
    found = sorted({parse_partition(value) for value in wanted}, key=lambda p: (p.date, p.run_id or ""))
    if found:
        return found
    moment = getattr(dag_run, "logical_date", None) or dag_run.run_after
    return [Partition(moment.date().isoformat())]


def _from_events(context: Mapping[str, Any]) -> list[Any]:
    events = context.get("triggering_asset_events") or {}
    return [pair for asset in events for event in events[asset] for pair in event.extra.get("partitions", [])]
