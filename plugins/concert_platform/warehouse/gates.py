"""What follows the loads: the marts, the checks, the note of a failure in quality.load_audit. No Airflow import."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from concert_platform.quality.warehouse_suite import SUITE
from concert_platform.resources import resource
from concert_platform.warehouse.data_api import LONGEST_SQL, MOST_STATEMENTS, execute_batch, one_line, query
from concert_platform.warehouse.sql_files import matches, render
from concert_platform.warehouse.suites import expectations_loading, judge

MART_FILES = (
    "load/lock_marts.sql",
    "marts/venue_sales.sql",
    "marts/venue_popularity.sql",
    "marts/sales_daily.sql",
    "marts/event_funnel.sql",
)
DAILY_MART_FILES = ("marts/artist_momentum.sql",)  # one rebuild for each day that was loaded
_MOVED_SQL = """
SELECT COUNT(*) FROM core.fact_box_office WHERE updated_run_id = :run_id AND created_run_id <> updated_run_id
"""
_AUDIT_FILES = ("migrations/0001_schemas.sql", "migrations/0003_quality_load_audit.sql")
_CHECK_HEADER = re.compile(
    r"Severity: (?P<severity>fail|warn)\. Table: (?P<table>[a-z_]+\.[a-z_]+)(?:\. Runs: (?P<runs>[a-z_]+))?"
)
_FAILURE = {"source": "all", "entity": "all"}
log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1000  # characters, up to 4 bytes each in a VARCHAR(4096)


class CheckFailedError(RuntimeError):
    """The warehouse breaks a rule of include/sql/checks."""


def refresh_marts(loads: Sequence[Mapping[str, Any]], token: str | None = None) -> str:
    """Rebuild the parts of the marts that these loads touch, as one transaction; returns its id.

    :param loads: as `loads_of` gives them, at least one; the last one's day decides what is upcoming
    """
    run_ids = [load["run_id"] for load in loads]
    values = {
        "run_ids": run_ids,
        "as_of": loads[-1]["dt"],
        # What was taken away, or moved to another day, nobody finds by the rows that the runs have now.
        "is_whole": any(load["known"] for load in loads) or any(query(_MOVED_SQL, run_id=one)[0][0] for one in run_ids),
    }
    days = dict.fromkeys(load["dt"] for load in loads)
    daily = [statement for day in days for statement in render(DAILY_MART_FILES, as_of=day)]
    return execute_batch([*render(MART_FILES, **values), *daily], token)


def checks() -> list[dict[str, Any]]:
    """The checks of include/sql/checks: name, file, and the severity and table that their headers state."""
    found = []
    for file in matches("checks/*.sql"):
        if header := _CHECK_HEADER.search((resource("include/sql") / file).read_text(encoding="utf-8")):
            name = file.removeprefix("checks/").removesuffix(".sql")
            found.append({"name": name, "file": file, **header.groupdict()})
    return found


def check(loads: Sequence[Mapping[str, Any]], token: str | None = None) -> int:
    """Run every check after these loads and keep the results, under the last of them; returns the number of checks.

    The suite's page of Data Docs goes beside those of curation.

    :raises CheckFailedError: when rows break a check of severity fail
    """
    last = loads[-1]
    wanted = checks()
    files = ["load/clear_failure.sql", "load/record_checks.sql"]
    run_ids = [load["run_id"] for load in loads]
    with expectations_loading():
        statements = render(files, run_id=last["run_id"], dt=last["dt"], checks=wanted, run_ids=run_ids)
        for number, batch in enumerate(in_batches(statements)):
            execute_batch(batch, sha256(f"{token}:{number}".encode()).hexdigest() if token else None)
    found = judge(SUITE, last["run_id"], last["dt"], wanted, "warehouse")
    if found.broken:
        raise CheckFailedError(
            f"the warehouse breaks {found.broken} after run {last['run_id']}: the queries of include/sql/checks show "
            f"the rows, and {found.page} the suite"
        )
    return found.checks


def in_batches(statements: Sequence[str]) -> Iterator[list[str]]:
    """Statements in as few batches as the Data API takes: each check names the runs, of which there may be many."""
    batch: list[str] = []
    for statement in statements:
        if batch and (
            len(batch) == MOST_STATEMENTS or sum(len(one.encode()) for one in [*batch, statement]) > LONGEST_SQL
        ):
            yield batch
            batch = []
        batch.append(statement)
    if batch:
        yield batch


def record_failure(failed: Iterable[Sequence[str | None]], message: str) -> None:
    """Note in quality.load_audit that runs were not loaded; works before the schema exists, and twice as once.

    :param failed: (day, run id) of each partition
    """
    execute_batch(render(_AUDIT_FILES))
    for day, run_id in failed:
        named = {"run_id": run_id or "all", **_FAILURE}
        query(
            "DELETE FROM quality.load_audit WHERE run_id = :run_id AND source = :source AND entity = :entity", **named
        )
        query(
            "INSERT INTO quality.load_audit (run_id, dt, source, entity, read_count, loaded_count, quarantined_count, "
            "deduplicated_count, status, message, loaded_at) "
            "VALUES (:run_id, CAST(:dt AS DATE), :source, :entity, 0, 0, 0, 0, 'failed', :message, GETDATE())",
            **named, dt=day, message=one_line(message)[:_LONGEST_MESSAGE] or "no reason given",
        )  # fmt: skip
