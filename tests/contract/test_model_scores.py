"""Scores in the warehouse: a publication as a whole, and never an older one over a newer one."""

import json
from decimal import Decimal
from typing import Any

import pytest

from concert_platform import warehouse
from tests.contract.curated_runs import Platform
from tests.contract.model_platform import (
    DAY,
    MOMENT,
    RECOMMENDER,
    SALES,
    VENUES,
    forecast,
    publish,
    register,
)

pytest_plugins = ["tests.contract.warehouse_platform", "tests.contract.model_platform"]
LATER = "20200305T030000-000000"


def test_forecasts_of_a_day_replace_each_other_and_the_version_is_marked(registered: Platform) -> None:
    register(registered, "v1")
    register(registered, "v2")
    publish(registered, SALES, [forecast("e1", 800), forecast("e2", 900)])
    publish(registered, SALES, [forecast("e1", 801)])
    assert warehouse.query("SELECT concert_id, expected_tickets, utilisation FROM ml.sales_forecast") == [
        ["e1", 801, Decimal("0.8123")]
    ]
    served = warehouse.query("SELECT version, published_run_id FROM ml.model_registry WHERE published_at IS NOT NULL")
    assert served == [["v1", "x"]]


def test_a_day_without_upcoming_events_publishes_none(registered: Platform) -> None:
    publish(registered, SALES, [forecast("e1", 800)])
    publish(registered, SALES, [])
    assert warehouse.query("SELECT COUNT(*) FROM ml.sales_forecast") == [[0]]


def test_recommendations_and_analyses_replace_those_before(registered: Platform) -> None:
    stamps = {"as_of": DAY, "model_version": "v1", "run_id": "x"}
    place = {"user_id": "u1", "algorithm": "hybrid", "position": 1, "score": 0.5, "signal": "tags", "because": None,
             "model_name": "recommender", **stamps}  # fmt: skip
    publish(registered, RECOMMENDER, [{**place, "artist_id": "a1"}, {**place, "user_id": "u2", "artist_id": "a2"}])
    publish(registered, RECOMMENDER, [{**place, "artist_id": "Björk"}])
    assert warehouse.query("SELECT user_id, artist_id, because FROM ml.recommendation") == [["u1", "Björk", None]]
    analysis = {"basis": {"evidence": "weak"}, "attendance_rate": {"estimate": 0.8412}}
    row = {"venue_id": "v1", "venue": "Hall", "analysis": json.dumps(analysis), "model_name": "venues", **stamps}
    for _ in range(2):
        publish(registered, VENUES, [row])
    assert warehouse.query("SELECT venue_id, evidence, attendance_rate FROM ml.venue_analysis") == [
        ["v1", "weak", Decimal("0.8412")]
    ]


def test_an_older_run_replaces_nothing_that_a_newer_one_has_published(registered: Platform) -> None:
    register(registered, "v1")
    register(registered, "v2")
    publish(registered, SALES, [forecast("e1", 800)], "v1", LATER)
    publish(registered, SALES, [forecast("e1", 700), forecast("e2", 1)], "v2", MOMENT)
    assert warehouse.query("SELECT concert_id, expected_tickets FROM ml.sales_forecast") == [["e1", 800]]
    marked = "SELECT version, published_moment FROM ml.model_registry WHERE published_at IS NOT NULL"
    assert warehouse.query(marked) == [["v1", LATER]]
    publish(registered, SALES, [forecast("e1", 801)], "v1", LATER)
    assert warehouse.query("SELECT concert_id, expected_tickets FROM ml.sales_forecast") == [["e1", 801]]


@pytest.mark.parametrize("model", [RECOMMENDER, VENUES], ids=lambda model: model.name)
def test_nor_do_recommendations_and_analyses(registered: Platform, model: Any) -> None:
    warehouse.query(
        "INSERT INTO ml.model_registry (name, version, run_id, status, model_uri, registered_at, published_moment) "
        "VALUES (:name, 'v1', 'y', 'Approved', 's3://a/b', GETDATE(), :moment)", name=model.name, moment=LATER,
    )  # fmt: skip
    stamps = {"as_of": DAY, "model_version": "v1", "run_id": "x", "model_name": model.name}
    place = {"user_id": "u1", "algorithm": "hybrid", "position": 1, "artist_id": "a1", "score": 0.5, "signal": "tags"}
    analysis = {"venue_id": "v1", "venue": "Hall", "analysis": json.dumps({"basis": {"evidence": "weak"}})}
    row, table = (place, "recommendation") if model is RECOMMENDER else (analysis, "venue_analysis")
    for moment, expected in ((LATER, "x"), (MOMENT, "x")):
        publish(registered, model, [{**row, **stamps, "run_id": "x" if moment == LATER else "old"}], moment=moment)
        assert warehouse.query(f"SELECT run_id FROM ml.{table}") == [[expected]]
