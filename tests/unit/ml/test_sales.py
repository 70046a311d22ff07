"""The sales model: what it may see, how it is judged, and what it says of the unknown."""

import argparse
import datetime as dt
import json
import re
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.sales import drivers, features, metrics, model, predict, train

AS_OF = "2017-02-01"


def reports(acts: int = 4, weeks: int = 260) -> pd.DataFrame:
    """Weekly reports whose utilisation wanders slowly, one act a venue."""
    random = np.random.default_rng(7)
    ends = pd.date_range("2012-01-01", periods=weeks, freq="7D")
    frames = []
    for act in range(acts):
        level = np.clip(0.75 + np.cumsum(random.normal(0, 0.02, weeks)), 0.3, 1.0)
        frames.append(
            pd.DataFrame(
                {
                    "source": "test", "report_id": [f"{act}|{end:%Y-%m-%d}" for end in ends],
                    "artist_id": f"a{act}", "venue_id": f"v{act}", "city": "New York",
                    "period_start": ends - pd.Timedelta(days=6), "period_end": ends, "performances": 8,
                    "capacity": 8000, "tickets_sold": (level * 8000).round().astype(int),
                }
            )
        )  # fmt: skip
    return pd.concat(frames, ignore_index=True).sort_values(["period_end", "report_id"], ignore_index=True)


def options(**changes: object) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(train.parse_arguments(["--version", "1", "--rounds", "20"])), **changes})


@pytest.fixture(scope="module")
def trained() -> train.Trained:
    """Of the reports as they are."""
    return train.train(reports(), options())


def test_a_features_row_does_not_change_with_its_own_or_later_outcomes() -> None:
    known = reports()
    row = known.index[len(known) // 2]
    changed = known.assign(tickets_sold=known["tickets_sold"].where(known["period_end"] < known["period_end"][row], 1))
    before, after = features.build(known, known).loc[row], features.build(changed, known).loc[row]
    pd.testing.assert_series_equal(before, after)


def test_a_features_row_changes_with_the_outcome_before_it() -> None:
    known = reports(acts=1)
    changed = known.copy()
    changed.loc[99, "tickets_sold"] = 1
    assert features.build(known, known)["act_last"][100] != features.build(changed, known)["act_last"][100]


def test_a_horizon_keeps_younger_reports_out() -> None:
    known = reports(acts=1)
    near, far = (features.build(known, known, days)["act_last"][100] for days in (1, 30))
    used = features.utilisation(known)
    assert near == pytest.approx(used[99])
    assert far == pytest.approx(used[94])  # the last that ended 30 days before the period begins


def test_a_missing_column_is_named() -> None:
    with pytest.raises(features.MissingColumnsError, match="history lacks tickets_sold"):
        features.build(reports().drop(columns="tickets_sold"), reports())


def test_training_is_judged_on_weeks_that_it_has_not_seen_and_beside_the_naive_forecast(
    trained: train.Trained,
) -> None:
    known = reports()
    kept, report = trained.kept, trained.report
    rows = report["rows"]
    parts = rows["train"] + rows["calibration"] + rows["holdout"]
    assert len(known) - 8 == parts  # a week of each act that runs over an edge is in no part
    assert pd.Timestamp(report["holdout_from"]) == known["period_end"].max() - pd.Timedelta(days=728)
    assert 0 < report["metrics"]["wape"] < 2 * report["baseline"]["wape"]
    assert 0.6 < report["metrics"]["interval_80_coverage"] <= 1
    assert set(kept.margins) == {"cold", "warm"}
    assert sum(kept.blend.values()) == pytest.approx(1)


def test_training_twice_gives_the_same_figures(trained: train.Trained) -> None:
    assert train.train(reports(), options()).report == trained.report


def test_too_short_a_history_is_refused_with_its_dates() -> None:
    with pytest.raises(train.TooLittleHistoryError, match=r"from 2011-12-26 to 2012-12-23"):
        train.train(reports(weeks=52), options())


def test_no_history_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(train.TooLittleHistoryError, match="holds no box-office report"):
        train.read_reports(tmp_path)


def test_dates_from_1900_to_2100_are_read(tmp_path: Path) -> None:
    days = [dt.date(1900, 1, 1), dt.date(2100, 12, 31)]
    reports(acts=1, weeks=2).assign(period_start=days, period_end=days).to_parquet(tmp_path / "history.parquet")
    assert [day.date() for day in train.read_reports(tmp_path)["period_end"]] == days


def test_an_unknown_act_gets_a_sane_forecast_with_a_wider_interval(trained: train.Trained) -> None:
    known, kept = reports(), trained.kept
    upcoming = known.tail(1).assign(
        concert_id="e1", capacity_basis="assumed from city", period_start=pd.Timestamp("2017-03-01"),
        period_end=pd.Timestamp("2017-03-01"), performances=1, capacity=1000,
    )  # fmt: skip
    stranger = upcoming.assign(concert_id="e2", artist_id="new", venue_id="new", city="Nowhere")
    found = predict.forecast(kept, known, pd.concat([upcoming, stranger], ignore_index=True), AS_OF)
    found = found.set_index("concert_id")
    assert list(found["basis"]) == ["own history", "market"]
    assert list(found["capacity_basis"]) == ["assumed from city"] * 2
    assert found["expected_tickets"].between(found["lower_tickets"], found["upper_tickets"]).all()
    assert 0 < found["expected_tickets"]["e2"] <= 1200
    width = found["upper_tickets"] - found["lower_tickets"]
    assert width["e2"] >= width["e1"]


def test_no_upcoming_event_is_no_forecast(tmp_path: Path, trained: train.Trained) -> None:
    for folder in (tmp_path, tmp_path / "left-out"):
        assert predict.forecast(trained.kept, reports(), predict.read_upcoming(folder), AS_OF).empty


def copied() -> set[str]:
    """Columns that include/sql/load/publish_forecast.sql passes on."""
    text = (Path(__file__).parents[3] / "include" / "sql" / "load" / "publish_forecast.sql").read_text()
    found = re.search(r"SELECT([^;]*), GETDATE\(\)\s+FROM scored\b", text)
    assert found is not None
    return {name.strip() for name in found[1].split(",")}


def test_scoring_a_stored_model_writes_forecasts_registry_and_what_the_service_reads(tmp_path: Path) -> None:
    known = reports(acts=2, weeks=230)
    for part in ("history", "upcoming", "model"):
        (tmp_path / part).mkdir()
    known.to_parquet(tmp_path / "history" / "h.parquet")
    known.tail(1).assign(concert_id="e1", capacity_basis="venue").to_parquet(tmp_path / "upcoming" / "u.parquet")
    folder = tmp_path / "trained"
    train.main(["--history", str(tmp_path / "history"), "--model-dir", str(folder), "--version", "v1", "--rounds", "5"])
    with tarfile.open(tmp_path / "model" / "model.tar.gz", "w:gz") as archive:
        archive.add(folder, arcname=".")
    places = [part for name in ("model", "history", "upcoming") for part in (f"--{name}", str(tmp_path / name))]
    stamps = ["--run-id", "r1", "--as-of", "2020-01-01", "--model-uri", "s3://m", "--output", str(tmp_path / "out")]
    predict.main([*places, *stamps])
    forecast, registry, served = (
        json.loads((tmp_path / "out" / part).read_text())
        for part in ("forecasts/forecasts.json", "registry/registry.json", "service/forecasts.json")
    )
    assert forecast["concert_id"] == served["concert_id"] == "e1"
    assert set(forecast) == copied()
    assert (registry["version"], served["model_version"]) == ("v1", "v1")


def test_a_stored_model_forecasts_as_the_trained_one(tmp_path: Path, trained: train.Trained) -> None:
    known, kept = reports(), trained.kept
    kept.save(tmp_path)
    rows = features.build(known, known)
    pd.testing.assert_frame_equal(model.load(tmp_path).predict(rows), kept.predict(rows))


def test_a_model_of_other_features_is_refused(tmp_path: Path, trained: train.Trained) -> None:
    trained.kept.save(tmp_path)
    metadata = json.loads((tmp_path / model.METADATA_FILE).read_text())
    (tmp_path / model.METADATA_FILE).write_text(json.dumps({**metadata, "features": ["other"]}))
    with pytest.raises(model.IncompatibleModelError, match="train it again"):
        model.load(tmp_path)


def test_a_damaged_model_is_refused(tmp_path: Path, trained: train.Trained) -> None:
    trained.kept.save(tmp_path)
    (tmp_path / "median.ubj").write_bytes((tmp_path / "median.ubj").read_bytes()[:-100])
    with pytest.raises(model.UnreadableModelError, match=r"median\.ubj is not what training has written"):
        model.load(tmp_path)
    (tmp_path / "median.ubj").unlink()
    with pytest.raises(model.UnreadableModelError, match="holds no readable sales model"):
        model.load(tmp_path)
    (tmp_path / model.METADATA_FILE).write_text("{")
    with pytest.raises(model.UnreadableModelError, match="take another version, or train again"):
        model.load(tmp_path)


def test_training_writes_model_figures_and_card(tmp_path: Path) -> None:
    reports().to_parquet(tmp_path / "history.parquet")
    arguments = ["--history", str(tmp_path), "--model-dir", str(tmp_path / "model"), "--version", "v1", "--rounds", "5"]
    train.main(arguments)
    card = (tmp_path / "model" / "model_card.md").read_text()
    report = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert f"{report['metrics']['wape']:.2%}" in card
    assert report["data_through"] in card
    assert "80 %" in card
    assert "## Limits" in card


def test_the_drivers_of_a_forecast_add_up_to_it(trained: train.Trained) -> None:
    known, kept = reports(), trained.kept
    rows = features.build(known, known.tail(40), weights=kept.process)
    total = drivers.contributions(kept, rows).sum(axis=1)
    expected = kept.predict(rows)["predicted"]
    inside = expected.between(0.01, 1.19)
    assert inside.sum() > 30
    np.testing.assert_allclose(total[inside], expected[inside], atol=0.01)
    assert all(0 < len(found) <= drivers.MOST for found in drivers.explain(kept, rows))


def test_the_figures_are_those_of_a_hand_calculation() -> None:
    actual, guess = pd.Series([100.0, 200.0, 300.0]), pd.Series([110.0, 190.0, 300.0])
    assert metrics.wape(actual, guess) == pytest.approx(20 / 600)
    assert metrics.r_squared(actual, guess) == pytest.approx(1 - 200 / 20000)
    assert metrics.coverage(actual, guess - 10, guess + 5) == pytest.approx(2 / 3)


def test_the_models_requirements_install_on_the_python_of_the_framework_image() -> None:
    """SageMaker's XGBoost images have Python 3.10: a package that needs a newer one would fail there."""
    from importlib.metadata import distribution

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    lines = (Path(__file__).parents[3] / "ml" / "requirements.txt").read_text().splitlines()
    given = [Requirement(line) for line in lines if line and not line.startswith("#")]
    there = [one for one in given if one.marker is None or one.marker.evaluate({"python_version": "3.10"})]
    assert {one.name for one in there} == {one.name for one in given} != set()
    # Those for other Pythons alone are not installed here: `uv pip compile --python-version 3.10` checks them.
    wanted = {one.name: distribution(one.name).metadata["Requires-Python"] for one in there if one.marker is None}
    assert {name: needed for name, needed in wanted.items() if "3.10" not in SpecifierSet(needed or "")} == {}
