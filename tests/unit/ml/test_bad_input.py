"""Bad input of the training and scoring jobs: a clear error, or the documented fallback."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_sales import options, reports
from test_venues import analysed
from test_venues import reports as venue_reports

from ml.recommender import artifact, metrics
from ml.recommender import train as train_recommender
from ml.recommender.data import InputError, read_dataset
from ml.sales import features, gaussian, model, predict, train
from ml.venues import features as venue_features
from ml.venues import predict as score_venues
from ml.venues import train as train_venues
from tests.unit.ml import synthetic_listeners


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaussian, "ITERATIONS", 3)


def history(folder: Path, frame: pd.DataFrame) -> str:
    (folder / "history").mkdir()
    frame.to_parquet(folder / "history" / "part.parquet")
    return str(folder / "history")


def tsv(path: Path, *rows: str) -> str:
    path.write_text("\n".join(["user\titem\tweight", *rows]) + "\n")
    return str(path)


# ---------------------------------------------------------------- empty history


def test_sales_training_on_an_empty_history_ends_with_one_line(tmp_path: Path) -> None:
    given = ["--history", history(tmp_path, reports(1, 3).head(0)), "--model-dir", str(tmp_path / "m")]
    with pytest.raises(SystemExit, match="holds no box-office report: load some before training"):
        train.main([*given, "--version", "1"])
    assert not (tmp_path / "m").exists()


def test_sales_training_on_a_history_without_dates_ends_with_one_line(tmp_path: Path) -> None:
    undated = reports(1, 3).assign(period_start=pd.NaT, period_end=pd.NaT)
    with pytest.raises(SystemExit, match="holds no box-office report with a date"):
        train.main(["--history", history(tmp_path, undated), "--version", "1", "--model-dir", str(tmp_path / "m")])


def test_venue_training_on_an_empty_history_is_refused(tmp_path: Path) -> None:
    given = ["--history", history(tmp_path, venue_reports(1, 1).head(0)), "--version", "1"]
    with pytest.raises(venue_features.NoReportsError, match="holds no box-office report"):
        train_venues.run([*given, "--model-dir", str(tmp_path)])


def test_recommender_training_on_an_empty_file_is_refused(tmp_path: Path) -> None:
    given = ["--interactions", tsv(tmp_path / "i.tsv"), "--version", "1", "--model-dir", str(tmp_path / "m")]
    with pytest.raises(InputError, match="holds no interaction"):
        train_recommender.run(given)


# ---------------------------------------------------------------- one user, one item, one venue, duplicates


def test_a_recommender_of_one_user_is_trained_and_has_nothing_to_recommend(tmp_path: Path) -> None:
    rows = [f"u\ti{item}\t{item + 1}" for item in range(5)]
    given = ["--interactions", tsv(tmp_path / "i.tsv", *rows), "--version", "1", "--model-dir", str(tmp_path / "m")]
    train_recommender.run(given)
    trained = artifact.load(tmp_path / "m")
    assert [len(ranked.items) for ranked in trained.recommend(np.array([0]), 10)] == [0]


def test_a_recommender_of_one_item_cannot_be_judged_and_says_so(tmp_path: Path) -> None:
    rows = [f"u{user}\ti\t1" for user in range(20)]
    given = ["--interactions", tsv(tmp_path / "i.tsv", *rows), "--version", "1", "--model-dir", str(tmp_path / "m")]
    with pytest.raises(InputError, match="no user has three interactions"):
        train_recommender.run(given)


def test_interactions_that_come_twice_change_neither_split_nor_ranking(tmp_path: Path) -> None:
    synthetic_listeners.write(tmp_path)
    once = read_dataset(tmp_path / "train.tsv")
    header, *rows = (tmp_path / "train.tsv").read_text().splitlines()
    halves = [row.rsplit("\t", 1) for row in rows]
    twice = [f"{pair}\t{float(weight) / 2}" for pair, weight in halves for _ in range(2)]
    (tmp_path / "train.tsv").write_text("\n".join([header, *twice]) + "\n")
    again = read_dataset(tmp_path / "train.tsv")
    assert again.weights.nnz == once.weights.nnz
    assert np.allclose(again.weights.data, once.weights.data)
    for first, second in zip(
        metrics.split_per_user(once.weights, 1), metrics.split_per_user(again.weights, 1), strict=True
    ):
        assert (first.indices == second.indices).all()


def test_venues_too_few_to_judge_are_not_promoted_but_analysed(tmp_path: Path) -> None:
    given = ["--history", history(tmp_path, venue_reports(1, 30)), "--version", "1", "--model-dir", str(tmp_path / "m")]
    train_venues.run(given)
    assert '"promote": false' in (tmp_path / "m" / "evaluation.json").read_text()
    assert analysed(venue_reports(1, 30), "hall-0-oslo-no")["basis"]["reports"] == 30


# ---------------------------------------------------------------- capacity


@pytest.mark.parametrize("capacity", [np.nan, 0.0])
def test_a_report_without_a_capacity_teaches_the_sales_model_nothing(capacity: float) -> None:
    known = reports(acts=2, weeks=230).astype({"capacity": float})
    odd = known.sample(20, random_state=1).assign(report_id="odd", capacity=capacity)
    both = pd.concat([known, odd]).sort_values(["period_end", "report_id"], kind="stable", ignore_index=True)
    clean, mixed = (train.train(frame, options(rounds=3)).report for frame in (known, both))
    assert mixed["rows"] == clean["rows"]
    assert mixed["metrics"] == pytest.approx(clean["metrics"], rel=1e-4)


@pytest.mark.parametrize("capacity", [np.nan, 0.0])
def test_an_event_without_a_capacity_gets_that_of_its_venues_last_report(capacity: float) -> None:
    known = reports(acts=2, weeks=20)
    known.loc[known["venue_id"] == "v1", "capacity"] = 4000
    upcoming = pd.DataFrame(
        {
            "concert_id": ["e1", "e2", "e3"], "artist_id": "new", "venue_id": ["v1", "nowhere", "v0"], "city": "",
            "period_start": pd.Timestamp("2013-01-01"), "period_end": pd.Timestamp("2013-01-01"), "performances": 1,
            "capacity": [capacity, capacity, 70.0], "capacity_basis": ["unknown", "unknown", "venue"],
        }
    )  # fmt: skip
    found = predict.with_capacity(upcoming, known)
    assert list(found["capacity"]) == [500, 750, 70]  # 4,000 in 8 performances; the median of 500 and 1,000; as given
    assert list(found["capacity_basis"]) == ["assumed from history", "assumed from history", "venue"]


@pytest.mark.parametrize("capacity", [np.nan, 0.0])
def test_a_report_without_a_capacity_is_left_out_of_a_venues_analysis(capacity: float) -> None:
    frame = venue_reports().astype({"capacity": float})
    odd = frame[frame["venue"] == "Hall 3"].head(5).assign(report_id="odd", capacity=capacity)
    assert analysed(pd.concat([frame, odd])) == analysed(frame)


# ---------------------------------------------------------------- corrupt artefacts, other schemas


@pytest.mark.parametrize("content", [b"no archive", None])
def test_scoring_with_a_corrupt_or_missing_sales_model_ends_with_one_line(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "model.tar.gz").write_bytes(content)
    folders = [word for name in ("model", "history", "upcoming", "output") for word in (f"--{name}", str(tmp_path))]
    with pytest.raises(SystemExit, match="holds no readable sales model"):
        predict.main([*folders, "--run-id", "r", "--as-of", "2020-01-01", "--model-uri", "s3://m"])


def test_a_sales_model_of_another_feature_schema_is_refused(tmp_path: Path) -> None:
    known = features.build(reports(2, 60), reports(2, 60))
    target = pd.Series(0.9, index=known.index)
    model.fit(known, target, pd.Series(8000.0, index=known.index), seed=1, rounds=2).save(tmp_path)
    metadata = (tmp_path / model.METADATA_FILE).read_text()
    (tmp_path / model.METADATA_FILE).write_text(metadata.replace('"feature_schema": 2', '"feature_schema": 99'))
    with pytest.raises(model.IncompatibleModelError, match="feature schema 99, this code reads 2"):
        model.load(tmp_path)


def test_a_corrupt_venue_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(Exception, match="no usable venue model"):
        score_venues.read_model(tmp_path)


def test_a_recommender_archive_without_its_arrays_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"feature_schema": 1, "sha256": ""}')
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "model.json", arcname="model.json")
    with pytest.raises(artifact.ArtifactError, match="holds no usable model"):
        artifact.load(tmp_path / "model.tar.gz")
