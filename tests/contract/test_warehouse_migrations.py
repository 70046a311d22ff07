"""Migrations on the real engine: applied once, recorded, refused when changed; and the roles they make."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from concert_platform import warehouse
from concert_platform.warehouse import migrations
from tests.contract.curated_runs import DAY, FIRST, NEXT_DAY, SECOND, T2, Platform, report

pytest_plugins = ["tests.contract.warehouse_platform"]

FILES = sorted((Path(__file__).parents[2] / "include" / "sql" / "migrations").glob("*.sql"))


def test_each_file_is_recorded_with_its_number_and_checksum(platform: Platform) -> None:
    assert warehouse.query(migrations.APPLIED_SQL) == [
        [int(file.name[:4]), file.stem[5:], hashlib.sha256(file.read_bytes()).hexdigest()] for file in FILES
    ]


def test_applying_them_again_costs_one_question(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def count(sql: str) -> list[list[Any]]:
        asked.append(sql)
        return warehouse.query(sql)

    monkeypatch.setattr(migrations, "query", count)
    monkeypatch.setattr(migrations, "execute_batch", lambda statements: pytest.fail("nothing is pending"))
    assert warehouse.migrate() == []
    assert asked == [migrations.APPLIED_SQL]


def test_a_file_that_was_changed_after_it_was_applied_is_refused_in_one_line(platform: Platform) -> None:
    warehouse.query("UPDATE quality.schema_version SET checksum = 'ffffffffffffffff' WHERE number = 10")
    with pytest.raises(warehouse.MigrationError) as refused:
        warehouse.migrate()
    message = str(refused.value)
    assert "0010_core_fact_event.sql was applied as 0010_core_fact_event with checksum ffffffffffff" in message
    assert "put the change into a new migration" in message and "\n" not in message
    checksum = next(one.checksum for one in migrations.migrations() if one.number == 10)
    warehouse.query("UPDATE quality.schema_version SET checksum = :checksum WHERE number = 10", checksum=checksum)
    assert warehouse.migrate() == []


def test_a_number_that_comes_later_between_applied_ones_is_applied(platform: Platform) -> None:
    warehouse.query("DELETE FROM quality.schema_version WHERE number = 2")
    assert warehouse.migrate() == ["migrations/0002_quality_schema_version.sql"]
    assert warehouse.migrate() == []


def test_a_batch_keeps_to_the_limits_of_the_data_api_and_divides_no_file(platform: Platform) -> None:
    found = list(migrations.batches(migrations.migrations()))
    assert [one for batch in found for one in batch] == migrations.migrations() and len(found) > 1
    for batch in found:
        assert len(warehouse.render([one.file for one in batch])) < warehouse.MOST_STATEMENTS


def test_seats_that_were_there_before_their_moment_was_known_yield_to_no_older_report(empty: Platform) -> None:
    tour = {"period_start": None, "period_end": None, "period_precision": "tour"}
    for day, reports in (
        (NEXT_DAY, [report(2, capacity=3000, ingested_at=T2, **tour)]),
        (DAY, [report(1, capacity=2400, **tour)]),
        (DAY, [report(3, capacity=800, venue_id="v3", venue="Hall Three")]),
    ):
        empty.curate(SECOND if day == NEXT_DAY else FIRST, day, box_office=reports)
        empty.load(SECOND if day == NEXT_DAY else FIRST, day)
    seats = "SELECT venue_id, seats, seats_seen_at FROM core.dim_venue WHERE is_current ORDER BY venue_id"
    known = warehouse.query(seats)
    assert [row[:2] for row in known] == [["v1", 1500], ["v3", 400]]
    warehouse.execute_batch(
        [
            "ALTER TABLE core.dim_venue DROP COLUMN seats_seen_at",
            "DELETE FROM quality.schema_version WHERE number = 63",
        ]
    )

    assert warehouse.migrate() == ["migrations/0063_core_dim_venue_seats_seen_at.sql"]

    assert warehouse.query(seats) == known
    empty.curate(FIRST, DAY, box_office=[report(1, capacity=2400, **tour)])
    empty.load()
    assert warehouse.query(seats) == known


# ---------------------------------------------------------------- roles


@contextmanager
def acting_as(role: str, dsn: str) -> Iterator[Any]:
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {role}")
            yield cursor
    finally:
        connection.close()


READABLE = {
    "loader": {"staging", "core", "marts", "quality", "ml"},
    "analyst": {"core", "marts", "quality", "ml"},
    "api": {"marts", "ml"},
    "ml": {"core", "marts", "ml"},
}
TABLES = {"staging": "lock_event", "core": "fact_event", "marts": "venue_popularity", "quality": "load_audit",
          "ml": "model_registry"}  # fmt: skip
WRITABLE = {"loader": set(TABLES), "analyst": set(), "api": set(), "ml": {"ml"}}


@pytest.mark.parametrize("schema", TABLES)
@pytest.mark.parametrize("role", READABLE)
def test_a_role_reads_and_writes_what_it_is_granted_and_nothing_else(
    empty: Platform, warehouse_dsn: str, role: str, schema: str
) -> None:
    for statement, allowed in (("SELECT * FROM", READABLE), ("DELETE FROM", WRITABLE)):
        with acting_as(role, warehouse_dsn) as cursor:
            if schema in allowed[role]:
                cursor.execute(f"{statement} {schema}.{TABLES[schema]}")
            else:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(f"{statement} {schema}.{TABLES[schema]}")


def test_a_table_that_comes_later_is_readable_as_its_schema_is(platform: Platform, warehouse_dsn: str) -> None:
    warehouse.execute_batch(["CREATE TABLE marts.later (a INTEGER)"])
    try:
        with acting_as("api", warehouse_dsn) as cursor:
            cursor.execute("SELECT * FROM marts.later")
            assert cursor.fetchall() == []
    finally:
        warehouse.execute_batch(["DROP TABLE marts.later"])
