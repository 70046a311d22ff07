"""Which ingest runs hold rejected records, and what a replay has made of them. No Airflow import."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from concert_platform.warehouse import query

log = logging.getLogger(__name__)

FILTERS = ("source", "entity", "rule")
REJECTED_SQL = """
SELECT CAST(dt AS VARCHAR(10)), run_id, source, entity, rule, COUNT(*)
FROM quality.quarantine
WHERE (:source = '' OR source = :source)
    AND (:entity = '' OR entity = :entity)
    AND (:rule = '' OR rule = :rule)
    AND dt >= CAST(:since AS DATE)
GROUP BY dt, run_id, source, entity, rule
ORDER BY dt, run_id, source, entity, rule
"""
FIRST_DAY = "1900-01-01"


class Rejected(NamedTuple):
    """Rejected records of one ingest run that share source, entity and rule."""

    dt: str
    run_id: str
    source: str
    entity: str
    rule: str
    records: int


def rejected(wanted: Mapping[str, Any]) -> list[Rejected]:
    """Rejected records that the warehouse knows of.

    :param wanted: values of `source`, `entity`, `rule` and `since` (first day of delivery); absent or null is any
    """
    values = {name: wanted.get(name) or "" for name in FILTERS} | {"since": wanted.get("since") or FIRST_DAY}
    return [Rejected(*row) for row in query(REJECTED_SQL, **values)]


def partitions_of(found: Sequence[Sequence[Any]]) -> list[list[str]]:
    """[day, run id] of each ingest run, as conf `partitions` takes them.

    :param found: rows of Rejected
    """
    return [list(run) for run in sorted({(dt, run_id) for dt, run_id, *_ in found})]


def outcome(before: Sequence[Sequence[Any]], after: Sequence[Rejected]) -> list[str]:
    """One line per source, entity and rule: how many records were rejected before and are now.

    :param before: rows of Rejected from before the replay
    """
    counts: dict[tuple[str, str, str], list[int]] = {}
    for index, rows in enumerate((before, after)):
        for row in rows:
            item = Rejected(*row)
            counts.setdefault((item.source, item.entity, item.rule), [0, 0])[index] += item.records
    lines = [
        f"{source}/{entity} {rule}: {old:,} rejected before, {new:,} now"
        for (source, entity, rule), (old, new) in sorted(counts.items())
    ]
    for line in lines:
        log.info("%s", line)
    return lines
