"""The recommender's models, splits and command lines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from ml.recommender import artifact, evaluate, features, hybrid, metrics, recommend, train, tuning
from ml.recommender.content import Factors
from ml.recommender.data import Dataset, InputError, Tags, read_dataset, tags_of_pairs
from ml.recommender.schema import ALGORITHMS
from ml.recommender.signals import Ease
from tests.unit.ml import synthetic_listeners


@pytest.fixture
def files(tmp_path: Path) -> Path:
    synthetic_listeners.write(tmp_path)
    return tmp_path


@pytest.fixture
def data(files: Path) -> Dataset:
    return read_dataset(files / "train.tsv", files / "tags.tsv", files / "friends.tsv")


def asked(files: Path, *more: str) -> list[str]:
    named = {"--train": "train.tsv", "--users": "users.tsv", "--output": "recs.tsv"}
    given = [word for option, name in named.items() if option not in more for word in (option, str(files / name))]
    return [*given, *more]


def answer(files: Path, *more: str) -> pd.DataFrame:
    recommend.run(asked(files, *more))
    return pd.read_csv(files / "recs.tsv", sep="\t", dtype={"user": str, "item": str})


def side(files: Path) -> tuple[str, ...]:
    return "--tags", str(files / "tags.tsv"), "--friends", str(files / "friends.tsv")


def write_train(files: Path, *rows: str) -> None:
    (files / "train.tsv").write_text("\n".join(["user\titem\tweight", *rows]) + "\n")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("limit", [1, 10, 10_000])
def test_nothing_from_train_is_recommended(files: Path, algorithm: str, limit: int) -> None:
    found = answer(files, *side(files), "--limit", str(limit), "--algorithm", algorithm)
    train_pairs = set(map(tuple, pd.read_csv(files / "train.tsv", sep="\t")[["user", "item"]].to_numpy()))
    assert not train_pairs & set(map(tuple, found[["user", "item"]].to_numpy()))
    assert not found.duplicated(["user", "item"]).any()


@pytest.mark.parametrize("seed", range(5))
def test_nothing_from_train_is_recommended_whatever_the_data(tmp_path: Path, seed: int) -> None:
    synthetic_listeners.write(tmp_path, users=7 + seed, items=5 + 3 * seed, groups=2, plays=4, seed=seed)
    found = answer(tmp_path, *side(tmp_path), "--limit", "50")
    train_pairs = set(map(tuple, pd.read_csv(tmp_path / "train.tsv", sep="\t")[["user", "item"]].to_numpy()))
    assert not train_pairs & set(map(tuple, found[["user", "item"]].to_numpy()))


def test_recommendations_come_best_first_and_the_limit_holds(files: Path) -> None:
    found = answer(files, "--limit", "5")
    assert (found.groupby("user").size() == 5).all()
    assert found.groupby("user")["score"].apply(lambda scores: scores.is_monotonic_decreasing).all()


def test_a_taste_is_recognised(files: Path) -> None:
    write_train(files, *(f"u{u}\ti{i}\t1" for u in range(40) for i in range(20) if u % 2 == i % 2 and (u + i) % 7))
    found = answer(files, "--limit", "1")
    known = found[found["user"].str[1:].astype(int) < 40]
    assert (known["user"].str[1:].astype(int) % 2 == known["item"].str[1:].astype(int) % 2).mean() > 0.9


def test_an_unknown_user_gets_the_most_popular_items(files: Path) -> None:
    (files / "users.tsv").write_text("user\nnobody\n")
    counts = pd.read_csv(files / "train.tsv", sep="\t")["item"].value_counts()
    found = answer(files, "--limit", "3")
    assert [counts[item] for item in found["item"]] == sorted(counts, reverse=True)[:3]


def test_one_user_and_one_item_leave_nothing_to_recommend(files: Path) -> None:
    write_train(files, "u0\ti0\t3")
    assert set(answer(files)["user"]) == {f"u{user}" for user in range(1, 60)}


def test_repeated_rows_of_a_pair_are_one_interaction(files: Path) -> None:
    write_train(files, "a\tx\t1", "a\tx\t2", "b\tx\t3", "b\ty\t1")
    weights = read_dataset(files / "train.tsv").weights
    assert weights.nnz == 3
    assert weights[0, 0] == 3


def test_a_pair_of_weight_zero_is_known_and_not_recommended(files: Path) -> None:
    write_train(files, "a\tx\t0", "a\ty\t1", "b\tx\t1", "b\ty\t1", "b\tz\t1")
    (files / "users.tsv").write_text("user\na\n")
    assert list(answer(files)["item"]) == ["z"]


def test_an_artist_may_be_called_null(files: Path) -> None:
    write_train(files, "a\tnull\t1", "a\tNA\t1", 'b\t"quoted\t1')
    assert set(read_dataset(files / "train.tsv").items) == {"null", "NA", '"quoted'}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no interaction"),
        (["a\tx\t-1"], "line 2 has no user or item, or a weight"),
        (["a\tx\t1", "a\t\t1"], "line 3"),
        (["a\tx\tmany"], "cannot be read"),
    ],
)
def test_bad_interactions_are_named(files: Path, rows: list[str], message: str) -> None:
    write_train(files, *rows)
    with pytest.raises(InputError, match=message):
        read_dataset(files / "train.tsv")


def test_a_missing_column_is_named(files: Path) -> None:
    (files / "train.tsv").write_text("user\tthing\tweight\na\tx\t1\n")
    with pytest.raises(InputError, match="lacks the column item"):
        read_dataset(files / "train.tsv")


@pytest.mark.parametrize("limit", ["0", "-3"])
def test_a_limit_below_one_is_refused(files: Path, limit: str) -> None:
    with pytest.raises(InputError, match="asks for no item"):
        recommend.run(asked(files, f"--limit={limit}"))


def test_the_same_seed_gives_the_same_file(files: Path) -> None:
    first = answer(files, *side(files), "--tune")
    assert first.equals(answer(files, *side(files), "--tune"))


def test_the_order_of_rows_changes_nothing(files: Path) -> None:
    first = answer(files)
    header, *rows = (files / "train.tsv").read_text().splitlines()
    (files / "train.tsv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    assert first.equals(answer(files))


def test_a_split_is_eight_one_one_and_has_no_pair_twice(data: Dataset) -> None:
    parts = metrics.split_per_user(data.weights, seed=1)
    assert sum(part.nnz for part in parts) == data.weights.nnz
    assert parts[0].multiply(parts[1]).nnz == parts[0].multiply(parts[2]).nnz == parts[1].multiply(parts[2]).nnz == 0
    assert (np.diff(parts[1].indptr) == np.diff(parts[2].indptr)).all()
    assert parts[2].nnz == pytest.approx(data.weights.nnz / 10, rel=0.3)


def test_only_tags_of_train_pairs_are_kept() -> None:
    train_part = sparse.csr_matrix(np.array([[1.0, 0, 0], [0, 1, 1]]))
    tags = Tags(
        np.array([0, 0, 1, 0]), np.array([0, 1, 2, 2]), np.array([0, 0, 0, 1]), np.array(["a", "b"], dtype=object)
    )
    kept = tags_of_pairs(tags, train_part)
    # (0, 1) is held out and (0, 2) is in no part: both would answer for the model.
    assert list(zip(kept.user, kept.item, strict=True)) == [(0, 0), (1, 2)]


def test_tags_on_held_out_pairs_change_no_figure(files: Path) -> None:
    """The answer is planted: every held-out pair, and no other, has a tag of its own."""
    clean = read_dataset(files / "train.tsv", files / "tags.tsv")
    _, _, test = metrics.split_per_user(clean.weights, seed=1)
    users, items = test.nonzero()
    planted = Tags(
        np.concatenate([clean.tags.user, users]),
        np.concatenate([clean.tags.item, items]),
        np.concatenate([clean.tags.tag, np.full(len(users), len(clean.tags.names))]),
        np.append(clean.tags.names, "held out"),
    )
    leaking = Dataset(clean.users, clean.items, clean.weights, planted)
    assert evaluate.judge_split(leaking, 1)["models"] == evaluate.judge_split(clean, 1)["models"]


def test_shuffled_items_leave_nothing_to_learn(tmp_path: Path) -> None:
    synthetic_listeners.write(tmp_path, users=200, items=120, plays=20)
    data = read_dataset(tmp_path / "train.tsv")
    learnt = evaluate.judge_split(data, 1)["models"]["hybrid"]["ndcg_at_10"]
    random = np.random.default_rng(1)
    shuffled = data.weights.copy()
    for start, end in zip(shuffled.indptr[:-1], shuffled.indptr[1:], strict=True):
        shuffled.indices[start:end] = np.sort(random.choice(shuffled.shape[1], end - start, replace=False))
    chance = evaluate.judge_split(Dataset(data.users, data.items, shuffled), 1)["models"]["hybrid"]["ndcg_at_10"]
    assert chance < learnt / 2


def test_both_forms_of_ease_give_the_same_scores(data: Dataset) -> None:
    built = features.build(data)
    users = np.arange(len(data.users))
    by_rows = Ease._fit_rows(*_ease_rows(built))
    by_items = Ease._fit_items(*_ease_rows(built), built.popularity, 1_000)
    assert np.allclose(by_rows.scores(users), by_items.scores(users), atol=1e-4)
    # Apart from the item itself, whose weight the score leaves out.
    wanted = np.array([3])
    for user in (0, 5):
        (history, added), (_, same) = (
            form.contributions(user, form.projection(wanted)) for form in (by_rows, by_items)
        )
        others = history != 3
        assert np.allclose(added[others], same[others], atol=1e-4)
        assert added[others].sum() == pytest.approx(by_items.scores(np.array([user]))[0, 3], abs=1e-4)


def _ease_rows(built: features.Features) -> tuple[sparse.csr_matrix, float]:
    return sparse.vstack([built.strength, built.item_tags]).tocsr().astype(np.float32), 10.0


def test_items_beyond_the_largest_matrix_are_still_ranked(data: Dataset) -> None:
    small = hybrid.Options(largest_square=15, factors=8)
    model = hybrid.fit(data, small)
    assert isinstance(model.signals["listeners"], Factors)
    listed = tuning.lists(model, np.arange(len(data.users)))
    assert all(len(items) == metrics.DEPTH for items in listed.values())


def test_the_evaluation_reports_every_model_with_and_without_side_data(files: Path, data: Dataset) -> None:
    lines: list[str] = []
    names = ("--interactions", str(files / "train.tsv"), *side(files), "--output", str(files / "report.json"))
    evaluate.run([*names, "--seeds", "1,2"], lines.append)
    report = json.loads((files / "report.json").read_text())
    assert {
        "popularity",
        "item_knn",
        "ease",
        "collaborative",
        "hybrid_tags_only",
        "hybrid_friends_only",
        "hybrid",
    } <= set(report["mean"])
    assert report["splits"][0]["tag_rows"]["of_train_pairs"] < report["splits"][0]["tag_rows"]["all"]
    assert set(report["cold_start_users"]) == {"1", "3", "5", "10"}
    assert any(line.startswith("hybrid ") for line in lines)


def test_history_too_short_to_judge_stops_the_evaluation(files: Path) -> None:
    write_train(files, "a\tx\t1", "b\ty\t1")
    with pytest.raises(InputError, match="no user has three interactions"):
        evaluate.evaluate(read_dataset(files / "train.tsv"), [1])


def trained(files: Path, *more: str) -> Path:
    named = ("--interactions", str(files / "train.tsv"), *side(files), "--model-dir", str(files / "model"))
    train.run([*named, "--version", "v1", "--data-through", "2026-11-01", *more])
    return files / "model"


def test_training_writes_model_metrics_and_card(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = trained(files)
    report = json.loads((folder / "metrics.json").read_text())
    assert report["metrics"]["ndcg_at_10"] > report["baseline"]["ndcg_at_10"]
    assert f"metrics:ndcg_at_10={report['metrics']['ndcg_at_10']}" in capsys.readouterr().out
    card = (folder / "model_card.md").read_text()
    assert "through 2026-11-01" in card
    assert f"{report['metrics']['ndcg_at_10']:.4f}" in card


def test_channels_are_read_from_the_environment(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = files / "interactions"
    channel.mkdir()
    table = pd.read_csv(files / "train.tsv", sep="\t").rename(columns={"user": "user_id", "item": "artist_id"})
    table.to_parquet(channel / "part.parquet")
    monkeypatch.setenv("SM_CHANNEL_INTERACTIONS", str(channel))
    monkeypatch.setenv("SM_MODEL_DIR", str(files / "out"))
    train.run(["--version", "v1"])
    assert artifact.load(files / "out").users.tolist() == sorted(set(table["user_id"]))


def test_a_stored_model_recommends_the_same(files: Path, data: Dataset) -> None:
    model = hybrid.fit(data)
    artifact.save(model, files / "model")
    users = np.arange(len(data.users))
    again = artifact.load(files / "model")
    for algorithm in ALGORITHMS:
        first, second = (tuning.lists(one, users, algorithm) for one in (model, again))
        assert all((first[user] == second[user]).all() for user in users)


def test_a_damaged_model_is_refused(files: Path) -> None:
    folder = trained(files)
    arrays = folder / "arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-100] + b"x" * 100)
    with pytest.raises(artifact.ArtifactError, match="is damaged"):
        artifact.load(folder)


def test_a_file_that_is_no_model_is_refused(files: Path) -> None:
    (files / "model.tar.gz").write_bytes(b"no archive")
    with pytest.raises(artifact.ArtifactError, match="cannot be unpacked"):
        artifact.load(files / "model.tar.gz")


def test_a_model_of_other_features_is_refused(files: Path) -> None:
    folder = trained(files)
    description = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(description | {"feature_schema": 99}))
    with pytest.raises(artifact.ArtifactError, match="feature schema 99"):
        artifact.load(folder)


def test_an_unknown_algorithm_is_named(data: Dataset) -> None:
    with pytest.raises(hybrid.UnknownAlgorithmError, match="magic is no algorithm"):
        hybrid.fit(data).weights("magic")
