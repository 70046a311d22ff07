"""What is made from core on the real engine: marts, features of the sales model, and its forecasts."""

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
    wanted = [{"file": f"features/sales_{name}.sql", "uri": uris[f"{name}_uri"]} for name in ("history", "upcoming")]
    for _ in range(2):
        statements = warehouse.render(["load/unload_features.sql"], as_of="2020-05-01", features=wanted)
        warehouse.execute_batch(statements)
    history = unloaded(loaded.s3.get_object, uris["history_uri"])
    assert sorted(row["report_id"] for row in history) == ["r1", "r2"]
    assert list(history[0]) == ["source", "report_id", "artist_id", "venue_id", "city", "period_start", "period_end",
                                "performances", "capacity", "tickets_sold", "gross", "currency"]  # fmt: skip
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
