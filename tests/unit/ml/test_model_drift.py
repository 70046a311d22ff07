"""Drift of inputs and errors: what is reported of data that moved, and of data that did not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_promotion import Nights

from ml import drift, evaluation
from tests.unit.ml import synthetic_listeners

RANDOM = np.random.default_rng(3)
BEFORE = pd.DataFrame({"price": RANDOM.lognormal(4, 0.4, 4000), "nights": RANDOM.choice([1.0, 2.0, 8.0], 4000)})


def found(newest: pd.DataFrame, name: str = "price") -> dict:
    return {entry["feature"]: entry for entry in drift.inputs(drift.reference(BEFORE), newest)}[name]


def test_the_same_distribution_has_not_drifted() -> None:
    entry = found(BEFORE.sample(500, random_state=1))
    assert entry["value"] < 0.05
    assert not entry["drifted"]
    assert (entry["statistic"], entry["threshold"]) == ("population_stability_index", 0.25)


@pytest.mark.parametrize(
    "newest",
    [
        BEFORE.assign(price=BEFORE["price"] * 1.5),
        BEFORE.assign(price=BEFORE["price"].median()),
        BEFORE.assign(price=BEFORE["price"].mask(BEFORE.index % 2 == 0)),  # half of them missing
    ],
)
def test_a_moved_narrowed_or_missing_input_has_drifted(newest: pd.DataFrame) -> None:
    assert found(newest.head(500))["drifted"]
    assert not found(newest.head(500), "nights")["drifted"]


def test_the_index_is_that_of_a_hand_calculation() -> None:
    before = pd.DataFrame({"x": [0.0] * 500 + [1.0] * 500})
    newest = pd.DataFrame({"x": [0.0] * 200 + [1.0] * 800})
    (entry,) = drift.inputs(drift.reference(before), newest)
    by_hand = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert entry["value"] == pytest.approx(by_hand, rel=0.02)


def test_a_period_too_short_to_judge_has_no_value() -> None:
    entry = found(BEFORE.head(99) * 10)
    assert np.isnan(entry["value"])
    assert not entry["drifted"]


def test_a_column_without_any_value_is_compared_as_missing() -> None:
    empty = pd.DataFrame({"x": np.full(300, np.nan)})
    (same,) = drift.inputs(drift.reference(empty), empty)
    (other,) = drift.inputs(drift.reference(empty), empty.fillna(1.0))
    assert not same["drifted"]
    assert other["drifted"]


@pytest.mark.parametrize(
    ("value", "lowest", "drifted"), [(0.06, False, True), (0.04, False, False), (0.04, True, True)]
)
def test_an_error_drifts_beyond_its_threshold(value: float, lowest: bool, drifted: bool) -> None:
    assert drift.error("wape", value, 0.05, lowest=lowest)["drifted"] is drifted


@pytest.mark.parametrize("name", ["sales", "venues"])
def test_a_year_of_smaller_houses_that_sell_worse_is_reported(name: str, tmp_path: Path) -> None:
    nights = Nights(name, tmp_path)
    calm = nights.train("v1")
    nights.appoint("v1")
    path = tmp_path / "history" / "h.parquet"
    known = pd.read_parquet(path)
    newest = known["period_start"] > known["period_end"].max() - pd.Timedelta(days=370)
    sold = known["tickets_sold"].where(~newest, (known["tickets_sold"] * 0.1).round().clip(lower=1))
    capacity = known["capacity"].where(~newest, known["capacity"] / 4).round()
    known.assign(tickets_sold=np.minimum(sold, capacity), capacity=capacity).to_parquet(path)
    moved = nights.train("v2")
    assert not {entry["feature"] for entry in calm["drift"]["inputs"] if entry["drifted"]} & {
        "log_seats",
        "performances",
    }
    drifted = {entry["feature"] for entry in moved["drift"]["inputs"] if entry["drifted"]}
    assert {"log_seats", "utilisation"} <= drifted
    assert "performances" not in drifted


def test_errors_of_the_champion_that_grow_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "FEWEST", 30)  # three acts have 39 reports in 13 weeks
    nights = Nights("sales", tmp_path)
    calm = {entry["metric"]: entry for entry in nights.train("v1")["drift"]["errors"]}
    assert not calm["wape"]["drifted"]
    assert not calm["interval_80_coverage"]["drifted"]
    nights.appoint("v1")
    path = tmp_path / "history" / "h.parquet"
    known = pd.read_parquet(path)
    newest = known["period_start"] > known["period_end"].max() - pd.Timedelta(days=300)
    noise = np.random.default_rng(2).uniform(0.2, 1.0, newest.sum())
    known.loc[newest, "tickets_sold"] = (known.loc[newest, "capacity"] * noise).round()
    known.to_parquet(path)
    errors = {entry["metric"]: entry for entry in nights.train("v2")["drift"]["errors"]}
    assert errors["wape"]["drifted"]
    assert errors["interval_80_coverage"]["drifted"]


def test_listeners_that_the_champion_does_not_know_are_reported(tmp_path: Path) -> None:
    nights = Nights("recommender", tmp_path)
    assert nights.train("v1")["drift"] == evaluation.NO_DRIFT
    nights.appoint("v1")
    assert not any(entry["drifted"] for part in nights.train("v2")["drift"].values() for entry in part)
    synthetic_listeners.write(tmp_path, users=300, items=120, plays=20)
    rows = pd.read_csv(tmp_path / "train.tsv", sep="\t")
    rows.assign(weight=rows["weight"] * 50).to_csv(tmp_path / "train.tsv", sep="\t", index=False)
    drifted = {entry["feature"] for entry in nights.train("v3")["drift"]["inputs"] if entry["drifted"]}
    assert {"unknown_user", "log_weight"} <= drifted


@pytest.mark.parametrize("content", [None, "{", "[]", '{"utilisation": {}}', '{"utilisation": 3}'])
def test_a_lost_reference_is_none_and_is_named(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    drift.save(drift.reference(BEFORE), tmp_path)
    assert drift.load(tmp_path) == drift.reference(BEFORE)
    (tmp_path / drift.REFERENCE_FILE).unlink()
    if content is not None:
        (tmp_path / drift.REFERENCE_FILE).write_text(content)
    assert drift.load(tmp_path) is None
    assert "no drift of inputs against it" in capsys.readouterr().out
