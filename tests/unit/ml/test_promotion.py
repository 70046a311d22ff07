"""Which challenger replaces a champion, and what a champion that cannot be compared with means."""

from __future__ import annotations

import json
import math
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_sales import reports as weekly_reports
from test_venues import reports as venue_reports

from ml import archive, drift, evaluation
from ml.promotion import Absence, Judgement, Rule, Segment, decide
from ml.recommender import train as train_recommender
from ml.sales import gaussian
from ml.sales import train as train_sales
from ml.venues import train as train_venues
from tests.unit.ml import synthetic_listeners

ERROR = Rule("wape", higher_is_better=False, fewest=100)
SCORE = Rule("ndcg", higher_is_better=True, fewest=100)


def judged(value: float, *, metric: str = "wape", **segments: tuple[int, float]) -> Judgement:
    return Judgement({metric: value}, {name: Segment(metric, *found) for name, found in segments.items()})


@pytest.mark.parametrize(
    ("rule", "own", "promoted"),
    [
        (ERROR, 0.042, False), (ERROR, 0.040, False), (ERROR, 0.0397, False), (ERROR, 0.0395, True),
        (SCORE, 0.038, False), (SCORE, 0.040, False), (SCORE, 0.0403, False), (SCORE, 0.0405, True),
    ],
)  # fmt: skip
def test_a_challenger_worse_or_better_by_less_than_the_margin_is_refused(
    rule: Rule, own: float, promoted: bool
) -> None:
    challenger, champion = (judged(value, metric=rule.metric) for value in (own, 0.040))
    baseline = 0.06 if rule is ERROR else 0.01
    decision = decide(rule, challenger, baseline, champion)
    assert decision.promote is promoted
    assert ("below the margin of 1%" in decision.reason) is not promoted
    assert (decision.margin, decision.bound) == (0.01, 0.05)


@pytest.mark.parametrize(("share", "promoted"), [(1.04, True), (1.06, False)])
def test_a_challenger_better_overall_is_refused_for_a_segment_beyond_the_bound(share: float, promoted: bool) -> None:
    champion = judged(0.040, new_artist=(150, 0.10), small_venue=(400, 0.05))
    challenger = judged(0.030, new_artist=(150, 0.10 * share), small_venue=(400, 0.03))
    decision = decide(ERROR, challenger, 0.06, champion)
    assert decision.promote is promoted
    assert ("new_artist" in decision.reason and "beyond the bound of 5%" in decision.reason) is not promoted


def test_a_segment_too_small_to_judge_refuses_nobody_and_is_named() -> None:
    champion, challenger = judged(0.040, new_artist=(99, 0.1)), judged(0.030, new_artist=(99, 0.9))
    decision = decide(ERROR, challenger, 0.06, champion)
    assert decision.promote
    assert "too small to judge: new_artist (99)" in decision.reason
    assert not challenger.as_dict(ERROR)["segments"]["new_artist"]["judged"]


def test_without_a_champion_the_baseline_is_to_be_beaten() -> None:
    assert decide(ERROR, judged(0.05), 0.06, None).promote
    refused = decide(ERROR, judged(0.06), 0.06, None)
    assert not refused.promote
    assert "not better than the baseline's 0.0600" in refused.reason


def test_a_challenger_below_the_baseline_is_refused_even_if_the_champion_is_worse() -> None:
    assert not decide(ERROR, judged(0.07), 0.06, judged(0.09)).promote


@pytest.mark.parametrize("own", [judged(math.nan), Judgement({}, {})])
def test_a_figure_that_does_not_exist_is_not_better(own: Judgement) -> None:
    assert not decide(ERROR, own, 0.06, None).promote
    assert not decide(ERROR, own, 0.06, judged(0.05)).promote
    assert not decide(ERROR, judged(0.05), math.nan, None).promote


def test_a_segment_whose_figure_was_lost_is_beyond_the_bound() -> None:
    champion, challenger = judged(0.04, small_venue=(200, 0.05)), judged(0.03, small_venue=(200, math.nan))
    assert not decide(ERROR, challenger, 0.06, champion).promote


# ---------------------------------------------------------------- the three training jobs


@pytest.fixture(scope="module", autouse=True)
def few_iterations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gaussian, "ITERATIONS", 3)  # the process need not be learnt well here
        yield


def sales_night(folder: Path, *more: str) -> None:
    history = folder / "history"
    if not history.exists():
        history.mkdir(parents=True)
        known = weekly_reports(acts=3, weeks=230)
        # Weeks scatter around the act's level: the last one alone is a poor forecast.
        level = known["artist_id"].map({"a0": 0.5, "a1": 0.65, "a2": 0.8})
        scatter = np.random.default_rng(2).normal(0, 0.1, len(known))
        sold = (known["capacity"] * (level + scatter)).clip(1, known["capacity"]).round()
        known.assign(tickets_sold=sold).to_parquet(history / "h.parquet")
    train_sales.main(["--history", str(history), "--rounds", "15", *more])


def recommender_night(folder: Path, *more: str) -> None:
    if not (folder / "train.tsv").exists():
        synthetic_listeners.write(folder, users=200, items=120, plays=20)
    train_recommender.run(["--interactions", str(folder / "train.tsv"), *more])


def venues_night(folder: Path, *more: str) -> None:
    history = folder / "history"
    if not history.exists():
        history.mkdir(parents=True)
        venue_reports(venues=14, months=75).to_parquet(history / "h.parquet")
    train_venues.run(["--history", str(history), *more])


NIGHTS = {"sales": sales_night, "recommender": recommender_night, "venues": venues_night}
# What is served, without which a version is of no use, and what a version is only judged by.
SCHEMA_FILES = {"sales": "metadata.json", "recommender": "model.json", "venues": "venue_model.json"}
MODEL_FILES = {"sales": "mean.ubj", "recommender": "arrays.npz", "venues": "venue_model.json"}
JUDGED_FILES = {"sales": "judged/mean.ubj", "venues": "judged.json"}


class Nights:
    """Nightly runs of one model, each with the former night's model as champion."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self.channel = folder / "champion"

    def train(self, version: str) -> dict:
        model, output = self.folder / version, self.folder / f"output-{version}"
        NIGHTS[self.name](
            self.folder, "--version", version, "--model-dir", str(model), "--output-data-dir", str(output),
            "--champion", str(self.channel),
        )  # fmt: skip
        return json.loads((output / evaluation.FILE).read_text())

    def appoint(self, version: str) -> None:
        self.channel.mkdir(exist_ok=True)
        with tarfile.open(self.channel / archive.FILE, "w:gz") as packed:
            packed.add(self.folder / version, arcname=".")


@pytest.fixture(scope="module", params=NIGHTS)
def nights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    made = Nights(request.param, tmp_path_factory.mktemp(request.param))
    made.first = made.train("v1")  # type: ignore[attr-defined]
    return made


def test_the_first_night_is_judged_against_the_baseline(nights: Nights) -> None:
    found = nights.first  # type: ignore[attr-defined]
    assert set(found) == {
        "name", "version", "feature_schema", "data_from", "data_through", "metrics", "segments", "baseline", "champion",
        "decision", "drift",
    }  # fmt: skip
    assert (found["name"], found["version"], found["champion"]) == (nights.name, "v1", None)
    assert set(found["decision"]) == {"promote", "reason", "margin", "bound"}
    assert "baseline's" in found["decision"]["reason"]
    assert all({"metric", "count", "value", "judged"} == set(segment) for segment in found["segments"].values())
    assert len(found["segments"]) == (3 if nights.name == "sales" else 2)


def test_the_same_model_again_is_not_promoted(nights: Nights) -> None:
    nights.appoint("v1")
    found = nights.train("v2")
    assert found["champion"]["version"] == "v1"
    # Judged on the same holdout with the same data: the same figures (up to rounding), so no margin.
    assert found["champion"]["metrics"] == pytest.approx(found["metrics"], rel=1e-4)
    for name, segment in found["segments"].items():
        assert found["champion"]["segments"][name]["value"] == pytest.approx(segment["value"], rel=1e-4)
    assert not found["decision"]["promote"]


def test_a_corrupt_champion_leaves_the_baseline_to_beat_and_is_named(nights: Nights) -> None:
    nights.channel.mkdir(exist_ok=True)
    (nights.channel / archive.FILE).write_bytes(b"no archive")
    found = nights.train("v3")
    assert found["champion"] is None
    assert "cannot be unpacked" in found["decision"]["reason"]
    assert found["decision"]["promote"] == nights.first["decision"]["promote"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("damage", ["schema", "missing", "cut"])
def test_a_champion_of_other_features_or_with_a_damaged_file_leaves_the_baseline_to_beat(
    nights: Nights, damage: str
) -> None:
    folder = odd(nights, f"odd-{damage}")
    schema, stored = folder / SCHEMA_FILES[nights.name], folder / MODEL_FILES[nights.name]
    if damage == "schema":
        content = json.loads(schema.read_text())
        for part in [content, *(value for value in content.values() if isinstance(value, dict))]:
            if "feature_schema" in part:
                part["feature_schema"] = 99
        schema.write_text(json.dumps(content))
    else:
        damaged(stored, damage)
    nights.appoint(f"odd-{damage}")
    found = nights.train("v4")
    assert found["champion"] is None
    assert "champion v1 is unusable" in found["decision"]["reason"]
    assert ("schema 99" in found["decision"]["reason"]) == (damage == "schema")


def damaged(path: Path, damage: str) -> None:
    """Take a file away (``missing``) or its end (``cut``)."""
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-50])


def odd(nights: Nights, name: str) -> Path:
    """A copy of the first night's model, to be damaged and appointed."""
    folder = nights.folder / name
    shutil.copytree(nights.folder / "v1", folder, dirs_exist_ok=True)
    return folder


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_champion_that_can_be_served_but_not_judged_is_not_replaced(nights: Nights, damage: str) -> None:
    if nights.name not in JUDGED_FILES:
        pytest.skip("is judged by what is served")
    damaged(odd(nights, f"unjudged-{damage}") / JUDGED_FILES[nights.name], damage)
    nights.appoint(f"unjudged-{damage}")
    found = nights.train("v5")
    assert found["champion"] is None
    assert not found["decision"]["promote"]
    assert "champion v1 cannot be judged" in found["decision"]["reason"]
    assert "it stays in service" in found["decision"]["reason"]


def test_a_champion_without_its_reference_of_drift_is_compared_all_the_same(nights: Nights) -> None:
    (odd(nights, "forgetful") / drift.REFERENCE_FILE).unlink()
    nights.appoint("forgetful")
    found = nights.train("v6")
    assert found["champion"]["version"] == "v1"
    assert not found["decision"]["promote"]
    assert "margin of 1%" in found["decision"]["reason"]
    assert found["drift"]["errors"] or nights.name == "sales", "errors need no reference"


def test_an_unjudged_champion_stays_however_good_the_challenger_is() -> None:
    decision = decide(ERROR, judged(0.01), 0.06, None, Absence("v1 cannot be judged", served=True))
    assert (decision.promote, decision.reason) == (False, "v1 cannot be judged")
    assert decide(ERROR, judged(0.01), 0.06, None, Absence("v1 is damaged")).promote


def test_a_shuffled_target_loses_to_the_champion(tmp_path: Path) -> None:
    nights = Nights("sales", tmp_path)
    nights.train("v1")
    nights.appoint("v1")
    # The champion's holdout stays as it is: what the challenger learns from is shuffled.
    path = tmp_path / "history" / "h.parquet"
    known = pd.read_parquet(path)
    early = known["period_end"] < known["period_end"].max() - pd.Timedelta(days=728)
    shuffled = known["tickets_sold"].copy()
    shuffled[early] = known["tickets_sold"][early].sample(frac=1, random_state=3).to_numpy()
    known.assign(tickets_sold=shuffled).to_parquet(path)
    found = nights.train("v2")
    assert not found["decision"]["promote"]
    assert found["metrics"]["wape"] > found["champion"]["metrics"]["wape"]


def test_a_history_that_ends_before_the_champions_promotes_nobody(tmp_path: Path) -> None:
    nights = Nights("sales", tmp_path)
    nights.train("v1")
    nights.appoint("v1")
    path = tmp_path / "history" / "h.parquet"
    known = pd.read_parquet(path)
    known[known["period_end"] < known["period_end"].max() - pd.Timedelta(days=60)].to_parquet(path)
    found = nights.train("v2")
    assert found["champion"] is None
    assert not found["decision"]["promote"]
    assert "ends before the champion's" in found["decision"]["reason"]


@pytest.mark.parametrize("known", ["half the listeners", "half of everyone's plays"])
def test_listeners_and_plays_that_the_champion_does_not_know_count_for_the_challenger(
    tmp_path: Path, known: str
) -> None:
    nights = Nights("recommender", tmp_path)
    synthetic_listeners.write(tmp_path, users=200, items=120, plays=20)
    everything = (tmp_path / "train.tsv").read_text()
    header, *rows = everything.splitlines()
    few = [row for row in rows if int(row.split("\t")[0][1:]) < 100] if "listeners" in known else rows[::2]
    (tmp_path / "train.tsv").write_text("\n".join([header, *few]) + "\n")
    nights.train("v1")
    nights.appoint("v1")
    (tmp_path / "train.tsv").write_text(everything)
    found = nights.train("v2")
    assert found["decision"]["promote"], found["decision"]["reason"]
    assert found["champion"]["metrics"]["ndcg_at_10"] < found["metrics"]["ndcg_at_10"]
