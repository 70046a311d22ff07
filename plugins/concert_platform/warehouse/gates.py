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
    "marts/venue_sales.sql",
    "marts/venue_popularity.sql",
    "marts/sales_daily.sql",
    "marts/event_funnel.sql",
)
DAILY_MART_FILES = ("marts/artist_momentum.sql",)  # one rebuild for each day that was loaded
LOCK_FILE, DUE_FILE = "load/lock_marts.sql", "load/forget_due.sql"
MOST_RUNS = 50  # of one refresh by parts: beyond it, all parts cost less than asking what each run has touched
# Loads of earlier runs whose refresh has failed, and of this one.
_DUE_SQL = "SELECT due_key, run_id, dt, is_whole FROM quality.mart_due ORDER BY due_key LIMIT 2000"
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


def refresh_marts(loads: Sequence[Mapping[str, Any]], token: str | None = None) -> list[dict[str, str]]:
    """Rebuild the parts of the marts that these loads touch, and those of loads whose own refresh has failed.

    One transaction, and more where the loads have more days than one takes; what is due stays so until the last.

    :param loads: as `loads_of` gives them, at least one; the last one's day decides what is upcoming
    :return: run id and day of every load that the marts show now and did not before, these loads last
    """
    due = query(_DUE_SQL)
    own = {load["run_id"]: load["dt"] for load in loads}
    left = {run_id: day.isoformat() for _, run_id, day, _ in due if day and run_id not in own}
    runs = left | own
    # What was taken away, or moved to another day, nobody finds by the rows that the runs have now.
    is_whole = len(runs) > MOST_RUNS or any(load["known"] for load in loads) or any(row[-1] for row in due)
    values = {
        "run_ids": list(runs),
        "as_of": loads[-1]["dt"],
        "is_whole": is_whole or any(query(_MOVED_SQL, run_id=run_id)[0][0] for run_id in runs),
    }
    daily = [render(DAILY_MART_FILES, as_of=day) for day in dict.fromkeys(runs.values())]
    last = render([DUE_FILE], due_keys=[row[0] for row in due]) if due else []
    for number, batch in enumerate(_refresh_batches(render(MART_FILES, **values), daily, last)):
        execute_batch(batch, _part_token(token, number))
    return [{"run_id": run_id, "dt": day} for run_id, day in runs.items()]


def _refresh_batches(first: list[str], daily: Iterable[list[str]], last: list[str]) -> list[list[str]]:
    """Batches that each hold the lock of the marts; the statements of one day stay together."""
    lock = render([LOCK_FILE])
    batches = [[*lock, *first]]
    for day in daily:
        if len(batches[-1]) + len(day) + len(last) > MOST_STATEMENTS:
            batches.append([*lock])
        batches[-1] += day
    batches[-1] += last
    return batches


def _part_token(token: str | None, number: int) -> str | None:
    return sha256(f"{token}:{number}".encode()).hexdigest() if token else None


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
            execute_batch(batch, _part_token(token, number))
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
