"""A run that is curated again after a mended mapping or rule: core holds what it delivers now, and accounts close."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform import backlog, warehouse
from concert_platform.partitions import Partition
from tests.contract.curated_runs import (
    DAY,
    FIRST,
    NEXT_DAY,
    SECOND,
    T0,
    T1,
    T2,
    Platform,
    event,
    interaction,
    load,
    report,
)
from tests.contract.warehouse_platform import violations

pytest_plugins = ["tests.contract.warehouse_platform"]

THIRD = "run-3"
DELIVERIES = {
    FIRST: {"status": "old", "ingested_at": T1},
    SECOND: {"status": "new", "ingested_at": T2},
    THIRD: {"status": "newest", "ingested_at": T2.replace(hour=9)},
}
DAYS = {FIRST: DAY, SECOND: NEXT_DAY, THIRD: NEXT_DAY}


def owners() -> list[list[Any]]:
    return warehouse.query(
        "SELECT event_id, status, created_run_id, updated_run_id FROM core.fact_event ORDER BY event_id"
    )


def account(run: str) -> list[Any]:
    (row,) = warehouse.query(
        "SELECT read_count, loaded_count, quarantined_count, deduplicated_count FROM quality.load_audit "
        "WHERE run_id = :run_id AND entity = 'event'", run_id=run,
    )  # fmt: skip
    return row


def deliver(platform: Platform, run: str, day: str, *numbers: int, rejected: int = 0, **fields: Any) -> None:
    platform.curate(run, day, rejected=rejected, event=[event(number, **fields) for number in numbers])
    platform.load(run, day)
    assert violations("account_open") == 0


@pytest.fixture
def both(empty: Platform) -> Platform:
    """The first run brought e1 to e3; the second one knows newer values of e1 and brought e4."""
    deliver(empty, FIRST, DAY, 1, 2, 3, status="old")
    deliver(empty, SECOND, NEXT_DAY, 1, 4, status="new", ingested_at=T2)
    return empty


def test_rows_of_every_entity_that_a_run_no_longer_delivers_are_taken_out(loaded: Platform) -> None:
    loaded.curate(event=[event(2)], rejected=2, box_office=[report(2), report(5)], interaction=[interaction(2)])
    loaded.load()
    found = [
        warehouse.query(f"SELECT {key} FROM core.fact_{entity} ORDER BY 1")
        for entity, key in (("event", "event_id"), ("box_office", "report_id"), ("interaction", "user_id"))
    ]
    assert found == [[["e2"]], [["r2"], ["r5"]], [["u2"]]]
    assert violations("account_open") == 0


def test_a_load_that_was_planned_before_another_one_of_its_run_counts_nothing_twice(loaded: Platform) -> None:
    (values,) = warehouse.loads_of([Partition(DAY, FIRST)])
    before = warehouse.query("SELECT * FROM quality.account ORDER BY source, entity")

    load({**values, "known": []})  # as a cleared task has it, whose predecessor had come halfway

    assert warehouse.query("SELECT * FROM quality.account ORDER BY source, entity") == before
    assert violations("account_open") == violations("load_audit_duplicate") == 0


def test_a_day_and_a_run_of_it_are_one_load(loaded: Platform) -> None:
    assert warehouse.loads_of([Partition(DAY), Partition(DAY, FIRST)]) == warehouse.loads_of([Partition(DAY)])


def test_a_run_that_delivers_nothing_any_more_leaves_nothing(loaded: Platform) -> None:
    loaded.curate(event=[event(1)], box_office=[])
    loaded.load()
    assert owners() == [["e1", None, FIRST, FIRST]]
    assert warehouse.query("SELECT COUNT(*) FROM core.fact_box_office") == [[0]]


def test_what_another_run_has_updated_since_is_that_runs_from_then_on(both: Platform) -> None:
    assert account(SECOND) == [2, 1, 0, 1]
    deliver(both, FIRST, DAY, 2, 3, rejected=1, status="old")
    assert owners() == [["e1", "new", SECOND, SECOND], ["e2", "old", FIRST, FIRST], ["e3", "old", FIRST, FIRST],
                        ["e4", "new", SECOND, SECOND]]  # fmt: skip
    assert (account(FIRST), account(SECOND)) == ([3, 2, 1, 0], [2, 2, 0, 0])
    both.load(SECOND, NEXT_DAY)
    assert account(SECOND) == [2, 2, 0, 0]
    assert violations("account_open") == 0


def test_values_that_a_later_run_withdraws_yield_to_the_run_that_brought_the_key(both: Platform) -> None:
    deliver(both, SECOND, NEXT_DAY, 4, rejected=1, status="new", ingested_at=T2)
    assert owners()[0] == ["e1", "new", FIRST, FIRST]
    assert (account(FIRST), account(SECOND)) == ([3, 3, 0, 0], [2, 1, 1, 0])
    both.load()
    assert owners()[0] == ["e1", "old", FIRST, FIRST]
    assert violations("account_open") == 0


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_a_mapping_that_names_a_key_anew_leaves_no_old_one_in_either_order(both: Platform, order: tuple) -> None:
    for run in order:
        if run == FIRST:
            deliver(both, FIRST, DAY, 11, 2, 3, status="old")
        else:
            deliver(both, SECOND, NEXT_DAY, 11, 4, status="new", ingested_at=T2)
    assert [row[:2] for row in owners()] == [["e11", "new"], ["e2", "old"], ["e3", "old"], ["e4", "new"]]


def test_a_key_of_three_runs_goes_to_the_one_whose_values_stand(both: Platform) -> None:
    deliver(both, THIRD, NEXT_DAY, 1, status="newest", ingested_at=T2.replace(hour=9))
    deliver(both, SECOND, NEXT_DAY, 4, status="new", ingested_at=T2)
    deliver(both, FIRST, DAY, 2, 3, status="old")
    assert owners()[0] == ["e1", "newest", THIRD, THIRD]


def left_to_load() -> list[str | None]:
    """Runs that the next run of load_warehouse takes besides its own."""
    run = SimpleNamespace(conf={}, logical_date=None, run_after=datetime(2020, 3, 9, tzinfo=UTC))
    return [partition.run_id for partition in backlog.to_load({"dag_run": run}) if partition.run_id]


def load_what_is_left() -> None:
    for values in warehouse.loads_of([Partition(DAYS[str(run)], run) for run in left_to_load()]):
        load(values)


def test_values_that_are_withdrawn_are_the_earlier_runs_again_after_the_next_load(both: Platform) -> None:
    assert left_to_load() == []
    deliver(both, SECOND, NEXT_DAY, 4, rejected=1, status="new", ingested_at=T2)
    assert left_to_load() == [FIRST]
    load_what_is_left()
    assert owners()[0] == ["e1", "old", FIRST, FIRST]
    assert left_to_load() == [] and violations("account_open") == 0


@pytest.mark.parametrize("commits", ["before the last transaction", "after it"])
def test_a_batch_of_an_older_report_that_commits_late_is_named_and_loaded_again(loaded: Platform, commits: str) -> None:
    (stale,) = warehouse.loads_of([Partition(DAY, FIRST)])
    late = warehouse.transactions(stale).entities["event"]  # its task was killed, and the run curated again
    loaded.curate(event=[event(1), event(7)], box_office=[report(1)])
    (values,) = warehouse.loads_of([Partition(DAY, FIRST)])
    planned = warehouse.transactions(values)
    for statements in planned.entities.values():
        warehouse.execute_batch(statements)
    for statements in [late, planned.closing] if commits.startswith("before") else [planned.closing, late]:
        warehouse.execute_batch(statements)
    assert violations("load_version") == violations("load_version", [FIRST]) == 1
    assert left_to_load() == [FIRST]
    load_what_is_left()
    assert left_to_load() == [] and violations("load_version") == violations("account_open") == 0


def test_a_lost_delivery_comes_back_with_the_next_load(both: Platform) -> None:
    deliver(both, THIRD, NEXT_DAY, 2, status="older", ingested_at=T0)
    assert left_to_load() == []
    deliver(both, FIRST, DAY, 1, 3, status="old", ingested_at=T1)
    assert "e2" not in [row[0] for row in owners()]
    assert THIRD in left_to_load()
    load_what_is_left()
    assert ["e2", "older", THIRD, THIRD] in owners()
    assert violations("account_open") == 0


@pytest.mark.parametrize("loads", [(FIRST, SECOND, THIRD), (FIRST, THIRD, SECOND)])
@pytest.mark.parametrize("withdrawals", [(THIRD,), (FIRST, THIRD), (THIRD, FIRST)])
def test_what_the_second_of_three_runs_delivers_stands_when_others_withdraw_it(
    empty: Platform, loads: tuple[str, ...], withdrawals: tuple[str, ...]
) -> None:
    for run in loads:
        deliver(empty, run, DAYS[run], 1, **DELIVERIES[run])
    for run in withdrawals:
        deliver(empty, run, DAYS[run], 9, rejected=1, **DELIVERIES[run])
        load_what_is_left()
    creator = SECOND if FIRST in withdrawals else FIRST
    assert owners()[0] == ["e1", "new", creator, SECOND]
    assert left_to_load() == [] and violations("account_open") == 0


def test_two_withdrawals_before_the_next_load_lose_nothing_of_the_third_run(empty: Platform) -> None:
    for run in (FIRST, SECOND, THIRD):
        deliver(empty, run, DAYS[run], 1, **DELIVERIES[run])
    for run in (FIRST, THIRD):
        deliver(empty, run, DAYS[run], 9, rejected=1, **DELIVERIES[run])
    assert SECOND in left_to_load()
    load_what_is_left()
    assert owners()[0] == ["e1", "new", SECOND, SECOND]
    assert left_to_load() == [] and violations("account_open") == 0


@pytest.mark.parametrize("loaded_before", [True, False])
def test_a_run_of_the_id_of_another_days_run_takes_nothing_of_that_out(empty: Platform, loaded_before: bool) -> None:
    empty.curate(FIRST, DAY, event=[event(1), event(2)])
    if loaded_before:
        empty.load(FIRST, DAY)
    empty.curate(FIRST, NEXT_DAY, event=[event(3, ingested_at=T2)])
    first, second = warehouse.loads_of([Partition(DAY, FIRST), Partition(NEXT_DAY, FIRST)])
    load(first)
    with pytest.raises(warehouse.RunOfAnotherDayError, match=rf"{FIRST} of {NEXT_DAY} is not loaded: .* {DAY}, whose"):
        load(second)
    assert [row[0] for row in owners()] == ["e1", "e2"]
    assert violations("account_open") == 0
