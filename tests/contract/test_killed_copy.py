"""A load whose COPY or MERGE is killed half-way: the database's process ends while rows of the file are in flight.

A trigger holds the second row back until the test has killed the process that writes it, so that the kill always
comes in the middle.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from concert_platform import warehouse
from concert_platform.operators.redshift import submit
from concert_platform.partitions import Partition
from tests.contract.curated_runs import DAY, FIRST, Platform, event, load
from tests.contract.warehouse_platform import accounts, violations

pytest_plugins = ["tests.contract.warehouse_platform"]

GATE = 4711  # an advisory lock
LONGEST = 300  # seconds, on a machine with much else to do
PAUSE = f"""
CREATE FUNCTION public.pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.{{column}} = '{{value}}' THEN PERFORM pg_advisory_xact_lock({GATE}); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pause BEFORE INSERT ON {{table}} FOR EACH ROW EXECUTE FUNCTION public.pause();
"""
WRITERS = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted"


class Database:
    """PostgreSQL behind the Data API, over connections of its own."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.gate = psycopg2.connect(dsn)
        self.gate.autocommit = True

    def run(self, sql: str) -> list[Any]:
        with self.gate.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def hold(self, table: str, column: str, value: str) -> None:
        self.run(PAUSE.format(table=table, column=column, value=value))
        self.run(f"SELECT pg_advisory_lock({GATE})")

    def kill_the_writer(self, seconds: float = LONGEST) -> None:
        """Kill whoever writes the row, once it is there; the gate is open afterwards in any case."""
        try:
            deadline = time.monotonic() + seconds
            while not (writers := self.run(WRITERS)):
                assert time.monotonic() < deadline, f"nothing has written the row for {seconds} s"
                time.sleep(0.01)
            self.run(f"SELECT pg_terminate_backend({writers[0][0]})")
        finally:
            self.release()

    def release(self) -> None:
        self.run(f"SELECT pg_advisory_unlock({GATE}); DROP FUNCTION IF EXISTS public.pause() CASCADE")


@pytest.fixture
def database(warehouse_dsn: str) -> Iterator[Database]:
    opened = Database(warehouse_dsn)
    yield opened
    opened.release()
    opened.gate.close()


def try_number(number: int) -> Any:
    return SimpleNamespace(
        dag_id="load_warehouse", task_id="load_partition", run_id="r", map_index=0, try_number=number, max_tries=3
    )


def send(statements: list[str], number: int, part: str) -> str:
    """Id of the batch that a try of the task has or finds."""
    return submit(try_number(number), statements, 3, part)


@pytest.mark.parametrize(
    ("part", "table", "column", "value"),
    [("closing", "quality.quarantine", "record", '{"n": 1}'), ("event", "core.fact_event", "event_id", "e2")],
)
def test_a_kill_while_rows_are_written_leaves_nothing_and_the_retry_loads_them_once(
    empty: Platform, database: Database, part: str, table: str, column: str, value: str
) -> None:
    empty.curate(repeats=1, rejected=2, event=[event(1), event(2), event(3)])
    (values,) = warehouse.loads_of([Partition(DAY, FIRST)])
    planned = warehouse.transactions(values)
    if part == "closing":
        for statements in planned.entities.values():
            warehouse.execute_batch(statements)
    statements = planned.closing if part == "closing" else planned.entities["event"]
    database.hold(table, column, value)

    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(database.kill_the_writer)
        first = send(statements, 1, part)
        with pytest.raises(warehouse.StatementFailedError):
            warehouse.wait(first, at_most=2 * LONGEST)
        killing.result()
    assert warehouse.query(f"SELECT COUNT(*) FROM {table}") == [[0]]

    assert send(statements, 1, part) == first  # under its token the dead one is found, and not run again
    second = send(statements, 2, part)
    assert warehouse.wait(second, at_most=LONGEST)["Status"] == warehouse.FINISHED
    assert send(statements, 3, part) == second  # a try that was killed after the commit finds it
    load(values)  # the rest of the partition, and what is there already once more
    assert warehouse.query("SELECT COUNT(*) FROM core.fact_event") == [[3]]
    assert warehouse.query("SELECT COUNT(*) FROM quality.quarantine") == [[2]]
    assert accounts()["ticketmaster", "event"] == [6, 3, 2, 1]
    assert violations("account_open") == violations("event_duplicate") == 0


def test_a_kill_that_finds_no_writer_fails_and_holds_nobody_back(empty: Platform, database: Database) -> None:
    database.hold("core.fact_event", "event_id", "e2")
    with pytest.raises(AssertionError, match="nothing has written the row"):
        database.kill_the_writer(seconds=0)
    assert database.run(f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE}") == []
    empty.curate(event=[event(1), event(2)])
    empty.load()
    assert warehouse.query("SELECT COUNT(*) FROM core.fact_event") == [[2]]
