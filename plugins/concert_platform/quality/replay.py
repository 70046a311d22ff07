"""Which ingest runs hold rejected records, and what a replay has made of them. No Airflow import."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from concert_platform.settings import settings
from concert_platform.warehouse import query

log = logging.getLogger(__name__)

# Every value is a parameter, and the Data API takes no empty one: a filter that is not given is left out. What the
# stream rejected came in no ingest run; monitor_stream sends its dead letters again.
FILTERS = {
    "source": "source = :source",
    "entity": "entity = :entity",
    "rule": "rule = :rule",
    "since": "dt >= CAST(:since AS DATE)",
}
REJECTED_SQL = """
SELECT CAST(dt AS VARCHAR(10)), run_id, source, entity, rule, COUNT(*)
FROM quality.quarantine
WHERE source <> 'stream'{conditions}
GROUP BY dt, run_id, source, entity, rule
ORDER BY dt, run_id, source, entity, rule
"""


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
    values = {name: wanted[name] for name in FILTERS if wanted.get(name)}
    conditions = "".join(f" AND {FILTERS[name]}" for name in values)
    return [Rejected(*row) for row in query(REJECTED_SQL.format(conditions=conditions), **values)]


def partitions_of(found: Sequence[Sequence[Any]]) -> list[list[str]]:
    """[day, run id] of each ingest run, as conf `partitions` takes them.

    :param found: rows of Rejected
    """
    return [list(run) for run in sorted({(dt, run_id) for dt, run_id, *_ in found})]


def reports_of(partitions: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Run and ETag of the report that curation has published of each run: what the warehouse must have in the end."""
    import boto3

    s3, bucket = boto3.client("s3"), settings().curated_bucket
    return [
        {
            "ingest_run_id": run_id,
            "report_etag": s3.head_object(Bucket=bucket, Key=f"curated/_reports/dt={dt}/run={run_id}.json")[
                "ETag"
            ].strip('"'),
        }
        for dt, run_id in partitions
    ]


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
