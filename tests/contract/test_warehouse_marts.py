"""What is made from core on the real engine: marts, features of the sales model, and its forecasts."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from concert_platform import settings as settings_module
from concert_platform import warehouse
from tests.contract.curated_runs import DAY, NEXT_DAY, SECOND, T2, Platform, event, report
from tests.contract.warehouse_platform import refresh_marts, statement_of

pytest_plugins = ["tests.contract.warehouse_platform"]


def test_the_fuller_venue_ranks_first_and_upcoming_counts_from_the_loaded_day(loaded: Platform) -> None:
    refresh_marts()
    assert warehouse.query(
        "SELECT venue_id, upcoming_events, reports, tickets_sold, utilisation, gross, currency, popularity_score "
        "FROM marts.venue_popularity ORDER BY popularity_rank"
    ) == [
        ["v1", 2, 2, 3000, Decimal("0.7500"), Decimal("150000.00"), "NOK", Decimal("92.50")],
        ["v2", 1, 0, 0, None, None, None, Decimal("0.00")],
    ]


def test_upcoming_counts_from_the_day_that_was_loaded_last_even_after_a_later_day(loaded: Platform) -> None:
    upcoming = "SELECT as_of, SUM(upcoming_events) FROM marts.venue_popularity GROUP BY as_of"
    loaded.curate(SECOND, "2026-11-24", event=[event(4, event_date=date(2026, 12, 1), ingested_at=T2)])
    loaded.load(SECOND, "2026-11-24")
    refresh_marts("2026-11-24")
    assert warehouse.query(upcoming) == [[date(2026, 11, 24), 1]]
    loaded.curate("run-3", DAY, event=[event(5)])
    loaded.load("run-3", DAY)
    refresh_marts()
    assert warehouse.query(upcoming) == [[date(2020, 3, 4), 5]]


def unloaded(read: Callable[..., Any], uri: str) -> list[dict[str, Any]]:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return pq.read_table(pa.BufferReader(read(Bucket=bucket, Key=f"{key}000.parquet")["Body"].read())).to_pylist()


def test_features_hold_dated_reports_and_upcoming_events_with_the_basis_of_their_capacity(loaded: Platform) -> None:
    tour = report(3, period_start=None, period_end=None, period_precision="tour")
    elsewhere = event(5, venue_id=None, venue=None, city="Bergen", artist_id=None, artist=None, ingested_at=T2)
    loaded.curate(SECOND, NEXT_DAY, event=[elsewhere], box_office=[tour])
    loaded.load(SECOND, NEXT_DAY)
    base = f"s3://{settings_module.settings().artifacts_bucket}/features/sales/run=x/"
    uris = {"history_uri": f"{base}history/", "upcoming_uri": f"{base}upcoming/"}
    for _ in range(2):
        warehouse.execute_batch(warehouse.render(["load/unload_features.sql"], as_of="2020-05-01", **uris))
    history = unloaded(loaded.s3.get_object, uris["history_uri"])
    assert sorted(row["report_id"] for row in history) == ["r1", "r2"]
    assert list(history[0]) == ["source", "report_id", "artist_id", "venue_id", "city", "period_start", "period_end",
                                "performances", "capacity", "tickets_sold"]  # fmt: skip
    upcoming = unloaded(loaded.s3.get_object, uris["upcoming_uri"])
    found = {row["concert_id"]: (row["venue_id"], row["capacity"], row["capacity_basis"]) for row in upcoming}
    assert found == {"e2": ("v1", 1000, "venue"), "e3": ("v2", 1000, "assumed from city"),
                     "e5": ("", 1000, "assumed from all venues")}  # fmt: skip
    assert upcoming[0]["performances"] == 1 and upcoming[0]["period_start"] == upcoming[0]["period_end"]


def test_an_event_without_known_seats_takes_those_of_its_city_else_type_else_of_all(empty: Platform) -> None:
    arts = {"segment": "Arts & Theatre"}
    small = {"venue_id": "v2", "venue": "Hall Two", "city": "Paris"}
    unknown = {"venue_id": "v9", "venue": "New Hall"}
    empty.curate(
        event=[event(1, segment="Music"), event(2, **small, **arts), event(3, **unknown), event(4, **unknown, **arts,
               city="Rome"), event(5, **unknown, city="Rome", segment="Sports")],
        box_office=[report(1, capacity=20000), report(2, **small, capacity=400)],
    )  # fmt: skip
    empty.load()
    asked = statement_of("features/sales_upcoming.sql", as_of=DAY)
    found = {row[0]: (row[7], row[8]) for row in warehouse.query(asked)}
    assert found == {
        "e1": (10000, "venue"), "e2": (200, "venue"), "e3": (10000, "assumed from city"),
        "e4": (200, "assumed from type"), "e5": (5100, "assumed from all venues"),
    }  # fmt: skip


def publish(platform: Platform, forecasts: list[dict[str, Any]]) -> None:
    base = "models/sales/scores/run=x/"
    bucket = settings_module.settings().artifacts_bucket
    registry = {"name": "sales", "version": "v1", "run_id": "x", "status": "published",
                "metrics": json.dumps({"wape": 0.03}), "baseline": json.dumps({"wape": 0.04}),
                "model_uri": "s3://bucket/model.tar.gz"}  # fmt: skip
    for name, rows in (("forecasts", forecasts), ("registry", [registry])):
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
        platform.s3.put_object(Bucket=bucket, Key=f"{base}{name}/{name}.json", Body=body)
    uris = {f"{name}_uri": f"s3://{bucket}/{base}{name}/" for name in ("forecasts", "registry")}
    warehouse.execute_batch(warehouse.render(["load/publish_forecast.sql"], as_of=DAY, model_name="sales", **uris))


def forecast(concert_id: str, tickets: int) -> dict[str, Any]:
    return {"concert_id": concert_id, "expected_tickets": tickets, "lower_tickets": 1, "upper_tickets": 1000,
            "capacity": 1000, "utilisation": 0.8123, "basis": "own history",
            "capacity_basis": "venue", "as_of": DAY, "model_name": "sales",
            "model_version": "v1", "run_id": "x"}  # fmt: skip


def test_forecasts_of_a_day_replace_each_other_and_a_version_is_registered_once(empty: Platform) -> None:
    publish(empty, [forecast("e1", 800), forecast("e2", 900)])
    publish(empty, [forecast("e1", 801)])
    assert warehouse.query("SELECT concert_id, expected_tickets, utilisation FROM ml.sales_forecast") == [
        ["e1", 801, Decimal("0.8123")]
    ]
    assert warehouse.query("SELECT version, metrics FROM ml.model_registry") == [["v1", '{"wape": 0.03}']]


def test_a_day_without_upcoming_events_publishes_none(empty: Platform) -> None:
    publish(empty, [forecast("e1", 800)])
    publish(empty, [])
    assert warehouse.query("SELECT COUNT(*) FROM ml.sales_forecast") == [[0]]


# ---------------------------------------------------------------- marts by partition, with rows computed by hand


def test_sales_of_a_day_are_its_reports_with_their_dollars_at_the_rate_of_the_year(empty: Platform) -> None:
    week = {"period_start": date(2019, 1, 5), "period_end": date(2019, 1, 11)}
    empty.curate(box_office=[
        report(1, gross=Decimal("8800.10")), report(2, gross=Decimal("880.01"), **week),
        report(3, gross=Decimal("100.00"), currency="GBP", **week), report(4, gross=None, currency=None, **week),
        report(5, gross=Decimal("5.00"), currency="XXX", **week),
        report(6, period_start=None, period_end=None, period_precision="tour"),
    ])  # fmt: skip
    empty.load()
    refresh_marts()
    # 2019: 8.8001 kroner a dollar, 1.2768 dollars a pound
    assert warehouse.query(
        "SELECT sales_date, currency, reports, tickets_sold, gross, gross_usd FROM marts.sales_daily ORDER BY 1, 2"
    ) == [
        [date(2019, 1, 1), "NOK", 1, 1500, Decimal("8800.10"), Decimal("1000.00")],
        [date(2019, 1, 11), "", 1, 1500, None, None],
        [date(2019, 1, 11), "GBP", 1, 1500, Decimal("100.00"), Decimal("127.68")],
        [date(2019, 1, 11), "NOK", 1, 1500, Decimal("880.01"), Decimal("100.00")],
        [date(2019, 1, 11), "XXX", 1, 1500, Decimal("5.00"), None],
    ]


def test_a_load_rebuilds_the_days_and_months_that_it_touches_and_no_others(empty: Platform) -> None:
    empty.curate(box_office=[report(1), report(2, report_id="feb", period_end=date(2019, 2, 1))])
    empty.load()
    refresh_marts()
    warehouse.execute_batch(["UPDATE marts.sales_daily SET reports = 9", "UPDATE marts.venue_sales SET reports = 9"])
    empty.curate(SECOND, NEXT_DAY, box_office=[report(3, period_end=date(2019, 1, 1))])
    empty.load(SECOND, NEXT_DAY)
    warehouse.refresh_marts([{"run_id": SECOND, "dt": NEXT_DAY, "known": []}])
    assert warehouse.query("SELECT sales_date, reports FROM marts.sales_daily ORDER BY 1") == [
        [date(2019, 1, 1), 2], [date(2019, 2, 1), 9]]  # fmt: skip
    assert warehouse.query("SELECT month, reports FROM marts.venue_sales ORDER BY 1") == [
        [date(2019, 1, 1), 2], [date(2019, 2, 1), 9]]  # fmt: skip


FAN = ("INSERT INTO core.fact_fan_event (event_id, type, user_id, artist_id, concert_id, occurred_at, event_date, "
       "loaded_at) VALUES ('{0}', '{1}', '{2}', '{3}', '{4}', '{5} 12:00:00', '{5}', GETDATE())")  # fmt: skip


def test_momentum_compares_four_weeks_with_the_four_before(empty: Platform) -> None:
    empty.curate(event=[
        event(1, event_date=date(2020, 3, 1)), event(2, event_date=date(2020, 1, 20)), event(3),
        event(4, event_date=date(2020, 1, 21), artist_id="a2", artist="Miyuki"),
        event(5, event_date=date(2021, 3, 1), artist_id="a3", artist="Too far off"),
    ])  # fmt: skip
    empty.load()
    warehouse.execute_batch([FAN.format("f1", "view", "u1", "a1", "e1", "2020-03-01"),
                             FAN.format("f2", "view", "u2", "a1", "e1", "2020-03-02"),
                             FAN.format("f3", "like", "u2", "a1", "e1", "2020-03-02"),
                             FAN.format("f4", "view", "u3", "a2", "e4", "2020-01-20")])  # fmt: skip
    refresh_marts()
    refresh_marts()
    # a1: fans 3/1, shows 2/2, one upcoming; a2: fans 1/2, shows 1/2, none: a1 is first in all three.
    assert warehouse.query(
        "SELECT artist_id, as_of, upcoming_events, shows, shows_before, fans, fans_before, momentum_score, "
        "momentum_rank FROM marts.artist_momentum ORDER BY momentum_rank"
    ) == [
        ["a1", date(2020, 3, 4), 1, 1, 1, 2, 0, Decimal("100.00"), 1],
        ["a2", date(2020, 3, 4), 0, 0, 1, 0, 1, Decimal("0.00"), 2],
    ]


def test_the_funnel_counts_each_user_once_a_step(loaded: Platform) -> None:
    for number, (kind, user) in enumerate(
        [("view", "u1"), ("view", "u1"), ("view", "u2"), ("like", "u1"), ("save", "u1"), ("ticket_click", "u1")]
    ):
        warehouse.execute_batch([FAN.format(f"f{number}", kind, user, "a1", "e1", "2020-03-01")])
    warehouse.execute_batch([FAN.format("f9", "attend", "u9", "a1", "e9", "2020-03-02")])
    for _ in range(2):
        refresh_marts()
    assert warehouse.query(
        "SELECT event_date, concert_id, artist_id, venue_id, viewers, interested, clickers, attendees, click_rate "
        "FROM marts.event_funnel ORDER BY 1"
    ) == [
        [date(2020, 3, 1), "e1", "a1", "v1", 2, 1, 1, 0, Decimal("0.5000")],
        [date(2020, 3, 2), "e9", None, None, 0, 0, 0, 1, None],
    ]
