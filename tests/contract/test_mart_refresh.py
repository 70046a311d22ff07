"""Which parts of the marts a refresh rebuilds: also those of loads whose own refresh has failed, and of late events."""

from datetime import date
from typing import Any

import pytest

from concert_platform import warehouse
from concert_platform.partitions import Partition
from tests.contract.curated_runs import DAY, FIRST, NEXT_DAY, SECOND, T2, Platform, event, load, report
from tests.contract.warehouse_platform import violations

pytest_plugins = ["tests.contract.warehouse_platform"]

THIRD, THIRD_DAY = "run-3", "2020-03-06"
SALES = "SELECT sales_date, reports FROM marts.sales_daily ORDER BY 1"
FUNNEL = "SELECT event_date, concert_id, artist_id, venue_id, viewers FROM marts.event_funnel ORDER BY 1, 2"
DUE = "SELECT DISTINCT run_id, is_whole FROM quality.mart_due ORDER BY 1, 2"
FAN_DAY = date(2020, 2, 1)


def sold(number: int, day: date, **fields: Any) -> dict[str, Any]:
    return report(number, period_start=day, period_end=day, **fields)


def bring(platform: Platform, run: str, day: str, **entities: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Curate and load a run without a refresh of the marts; gives its loads."""
    platform.curate(run, day, **entities)
    loads = warehouse.loads_of([Partition(day, run)])
    for values in loads:
        load(values)
    return loads


def view(event_id: str, concert: str) -> None:
    """A fan has looked at a concert, hours ago."""
    warehouse.query(
        "INSERT INTO core.fact_fan_event (event_id, type, user_id, concert_id, occurred_at, event_date, loaded_at) "
        "VALUES (:id, 'view', 'u1', :concert, '2020-02-01 12:00:00', '2020-02-01', DATEADD(hour, -5, GETDATE()))",
        id=event_id, concert=concert,
    )  # fmt: skip


@pytest.fixture
def missed(empty: Platform) -> Platform:
    """One run in the marts; a second one in core, whose refresh has failed for good."""
    warehouse.refresh_marts(bring(empty, FIRST, DAY, box_office=[report(1)]))
    bring(empty, SECOND, NEXT_DAY, box_office=[sold(2, date(2019, 2, 2), ingested_at=T2)])
    return empty


def test_the_days_of_a_load_whose_refresh_failed_come_with_the_next_refresh(missed: Platform) -> None:
    assert warehouse.query(DUE) == [[SECOND, False]]
    shown = warehouse.refresh_marts(bring(missed, THIRD, THIRD_DAY, box_office=[sold(3, date(2019, 3, 3))]))
    assert shown == [{"run_id": SECOND, "dt": NEXT_DAY}, {"run_id": THIRD, "dt": THIRD_DAY}]
    assert warehouse.query(SALES) == [[date(2019, month, month), 1] for month in (1, 2, 3)]
    assert warehouse.query("SELECT reports, as_of FROM marts.venue_popularity") == [[3, date(2020, 3, 6)]]
    assert warehouse.query(DUE) == []


def test_a_partition_that_is_loaded_in_part_is_in_the_marts_and_keeps_its_reason(empty: Platform) -> None:
    warehouse.refresh_marts(bring(empty, FIRST, DAY, box_office=[report(1)]))
    reports, events = [sold(2, date(2019, 2, 2), ingested_at=T2)], [event(1)]
    empty.curate(SECOND, NEXT_DAY, box_office=reports, event=events)
    (half,) = warehouse.loads_of([Partition(NEXT_DAY, SECOND)])
    warehouse.execute_batch(warehouse.transactions(half).entities["box_office"])  # the others fail for good
    warehouse.record_failure([(NEXT_DAY, SECOND)], "no space")

    shown = warehouse.refresh_marts(bring(empty, THIRD, THIRD_DAY, box_office=[sold(3, date(2019, 3, 3))]))

    assert warehouse.check(shown) > 0
    assert warehouse.query(SALES) == [[date(2019, month, month), 1] for month in (1, 2, 3)]
    left = "SELECT status, message FROM quality.load_audit WHERE run_id = 'run-2' ORDER BY 1"
    assert warehouse.query(left) == [["failed", "no space"], ["partial", None]]


def test_what_a_load_took_away_before_its_refresh_failed_leaves_the_marts_with_the_next_one(empty: Platform) -> None:
    warehouse.refresh_marts(bring(empty, FIRST, DAY, box_office=[report(1), report(2)]))
    bring(empty, FIRST, DAY, box_office=[report(1)])
    assert warehouse.query(DUE) == [[FIRST, True]]
    warehouse.refresh_marts(bring(empty, SECOND, NEXT_DAY, box_office=[sold(3, date(2019, 3, 3))]))
    assert warehouse.query(SALES) == [[date(2019, 1, 1), 1], [date(2019, 3, 3), 1]]
    assert violations("sales_daily") == violations("venue_sales") == 0


def test_the_checks_of_a_run_find_what_the_marts_lack_of_an_earlier_one(missed: Platform) -> None:
    warehouse.query("DELETE FROM quality.mart_due")  # as if the refresh had missed it
    warehouse.refresh_marts(bring(missed, THIRD, THIRD_DAY, box_office=[sold(3, date(2019, 3, 3))]))
    assert violations("sales_daily", [THIRD]) == violations("venue_sales", [THIRD]) == 1
    assert violations("sales_daily") == violations("venue_sales") == 1


def test_a_day_that_the_mart_has_and_core_has_not_is_found(empty: Platform) -> None:
    warehouse.refresh_marts(bring(empty, FIRST, DAY, box_office=[report(1)]))
    warehouse.query("DELETE FROM core.fact_box_office")
    assert violations("sales_daily") == violations("venue_sales") == 1


def test_a_first_refresh_after_the_upgrade_rebuilds_everything(missed: Platform) -> None:
    warehouse.execute_batch(["DELETE FROM quality.mart_due", *warehouse.render(["migrations/0076_*.sql"])])
    warehouse.refresh_marts(bring(missed, THIRD, THIRD_DAY, box_office=[sold(3, date(2019, 3, 3))]))
    assert warehouse.query(SALES) == [[date(2019, month, month), 1] for month in (1, 2, 3)]
    assert warehouse.query(DUE) == []


def test_the_refreshes_of_more_days_than_one_transaction_takes_are_made_up_for(empty: Platform) -> None:
    for number in range(1, 17):
        bring(empty, f"run-{number}", f"2020-04-{number:02d}", event=[event(1, event_id=f"e{number}")])
    last = warehouse.loads_of([Partition("2020-04-16", "run-16")])
    assert len(warehouse.refresh_marts(last)) == 16
    assert warehouse.query("SELECT COUNT(DISTINCT as_of) FROM marts.artist_momentum") == [[16]]
    assert warehouse.query(DUE) == []


# ---------------------------------------------------------------- marts.event_funnel


@pytest.fixture
def looked_at(empty: Platform) -> Platform:
    """A fan has looked at two concerts, of which core knows one; the mart shows both."""
    view("f1", "e1")
    view("f2", "e2")
    warehouse.refresh_marts(bring(empty, FIRST, DAY, event=[event(2)]))
    assert warehouse.query(FUNNEL) == [[FAN_DAY, "e1", None, None, 1], [FAN_DAY, "e2", "a1", "v1", 1]]
    return empty


def test_a_concert_that_is_listed_late_gets_its_artist_and_venue(looked_at: Platform) -> None:
    loads = bring(looked_at, SECOND, NEXT_DAY, event=[event(1, ingested_at=T2)])
    assert violations("event_funnel_listing") == violations("event_funnel_listing", [SECOND]) == 1
    warehouse.refresh_marts(loads)
    assert warehouse.query(FUNNEL)[0] == [FAN_DAY, "e1", "a1", "v1", 1]
    assert violations("event_funnel_listing") == 0


def test_a_concert_that_moves_takes_its_new_venue_and_one_that_is_withdrawn_has_none(looked_at: Platform) -> None:
    moved = event(2, venue_id="v2", venue="Hall Two", ingested_at=T2)
    warehouse.refresh_marts(bring(looked_at, SECOND, NEXT_DAY, event=[moved]))
    assert warehouse.query(FUNNEL)[1] == [FAN_DAY, "e2", "a1", "v2", 1]
    for run, day in ((SECOND, NEXT_DAY), (FIRST, DAY)):
        warehouse.refresh_marts(bring(looked_at, run, day, event=[event(9)]))
    assert warehouse.query(FUNNEL)[1] == [FAN_DAY, "e2", None, None, 1]
