"""A stored recommender scores tonight's interactions, not those that it was fitted on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.recommender import artifact, explain, fold_in, hybrid, predict
from ml.recommender.data import Dataset, InputError, read_dataset
from ml.recommender.hybrid import Hybrid, Options
from ml.recommender.schema import ALGORITHMS
from tests.unit.ml import synthetic_listeners

BLEND = {"users_share": 0.3, "tags_share": 0.1, "friends_share": 0.1}
# The ridge between items in rows (users and tags) or, where those are more than the items or the limit, in items; and
# factors in place of the ridge between listeners.
FORMS = {"rows": (200, 10_000), "items": (30, 10_000), "factors": (200, 30)}


def fitted(folder: Path, form: str) -> tuple[Dataset, Hybrid]:
    items, largest = FORMS[form]
    synthetic_listeners.write(folder, items=items, plays=8)
    named = (folder / f"{name}.tsv" for name in ("train", "tags", "friends"))
    data = read_dataset(*named)
    return data, hybrid.fit(data, Options(largest_square=largest, **BLEND))


def lists(model: Hybrid, algorithm: str = "hybrid", limit: int = 10) -> dict[str, dict[str, float]]:
    return {
        str(model.users[one.user]): {
            str(model.items[item]): float(score) for item, score in zip(one.items, one.scores, strict=True)
        }
        for one in model.recommend(np.arange(len(model.users)), limit, algorithm)
    }


def tonight(folder: Path, *rows: str) -> Dataset:
    path = folder / "tonight.tsv"
    path.write_text("".join([(folder / "train.tsv").read_text(), *(f"{row}\n" for row in rows)]))
    return read_dataset(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_on_its_own_interactions_a_model_scores_as_it_was_fitted(tmp_path: Path, form: str, algorithm: str) -> None:
    data, model = fitted(tmp_path, form)
    assert bool(len(model.signals["items"].items)) is (form != "rows")  # type: ignore[attr-defined]
    folded = fold_in.on(model, data)
    before, after = lists(model, algorithm), lists(folded, algorithm)
    for user, scores in before.items():
        assert after[user] == pytest.approx(scores, abs=2e-3), user
    of_all = np.arange(len(data.users))
    for told, again in zip(
        explain.reasons(model, model.recommend(of_all, 5, algorithm)),
        explain.reasons(folded, folded.recommend(of_all, 5, algorithm)),
        strict=True,
    ):
        assert told[1] == again[1]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_heard_since_is_not_recommended(tmp_path: Path, form: str) -> None:
    _, model = fitted(tmp_path, form)
    first = next(iter(lists(model)["u5"]))
    folded = fold_in.on(model, tonight(tmp_path, f"u5\t{first}\t90"))
    for algorithm in ALGORITHMS:
        assert first not in lists(folded, algorithm, 500)["u5"]
        assert len(lists(folded, algorithm)["u5"]) == 10


@pytest.mark.parametrize("form", FORMS)
def test_a_new_listener_gets_what_those_of_the_same_taste_get(tmp_path: Path, form: str) -> None:
    data, model = fitted(tmp_path, form)
    liked = [item for item in data.items if int(item[1:]) % 4 == 2][:5]
    folded = fold_in.on(model, tonight(tmp_path, *(f"new\t{item}\t100" for item in liked)))
    for algorithm in ALGORITHMS:
        shown = list(lists(folded, algorithm, 4)["new"])
        assert not set(shown) & set(liked)
        same = [item for item in shown if int(item[1:]) % 4 == 2]
        assert len(same) >= min(3, len([item for item in data.items if int(item[1:]) % 4 == 2]) - 5), shown
    (one,) = list(folded.recommend(np.array([list(folded.users).index("new")]), 4))
    ((_, why),) = explain.reasons(folded, [one])
    assert why[0].signal in ("similar_artists", "tags")


def test_a_listener_of_unknown_artists_alone_gets_the_popular_ones(tmp_path: Path) -> None:
    _, model = fitted(tmp_path, "rows")
    folded = fold_in.on(model, tonight(tmp_path, "new\tnever heard of\t3"))
    most = [str(model.items[item]) for item in model.popular(10)[0]]
    listeners = dict(zip(map(str, model.items), model.popularity, strict=True))
    assert [listeners[item] for item in lists(folded)["new"]] == [listeners[item] for item in most]


def scored(folder: Path, model: Hybrid, output: str) -> Path:
    artifact.save(replace(model, options=model.options), folder / "model")
    report = {"version": "v1", "metrics": {"ndcg_at_10": 0.2}, "baseline": {"ndcg_at_10": 0.1}}
    (folder / "model" / "metrics.json").write_text(json.dumps(report))
    stamps = ["--run-id", "r1", "--as-of", "2026-11-01", "--model-uri", "s3://models/v1/model.tar.gz"]
    given = ["--model", str(folder / "model"), "--interactions", str(folder / "tonight.tsv")]
    predict.run([*given, "--output", str(folder / output), *stamps])
    return folder / output


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_scores_are_of_tonights_interactions(tmp_path: Path) -> None:
    _, model = fitted(tmp_path, "rows")
    heard = next(iter(lists(model)["u5"]))
    tonight(tmp_path, f"u5\t{heard}\t90", "new\ti2\t3", *(f"u{user}\tof tonight\t2" for user in range(60)))
    (tmp_path / "tonight.tsv").write_text(
        "".join(line for line in (tmp_path / "tonight.tsv").open() if not line.startswith("u7\t"))
    )
    output = scored(tmp_path, model, "scores")
    shown: dict[str, set[str]] = {}
    for row in rows(output / "recommendations" / "recommendations.json"):
        shown.setdefault(row["user_id"], set()).add(row["artist_id"])
    known = {row["user_id"]: set(row["artist_ids"]) for row in rows(output / "known" / "known.json")}
    assert heard in known["u5"] and heard not in shown["u5"]
    assert known["new"] == {"i2"} and shown["new"]
    assert "of tonight" in known["u0"], "the model does not know this artist, and still it is known to the user"
    assert "u7" not in shown and "u7" not in known, "who is no longer there is not scored"
    assert not any(shown[user] & known[user] for user in shown)
    assert rows(output / "popular" / "popular.json")[0] == {
        "position": 1, "artist_id": "of tonight", "score": round(59 / 60, 6), "as_of": "2026-11-01",
        "model_name": "recommender", "model_version": "v1", "run_id": "r1",
    }  # fmt: skip
    assert json.loads((output / "publication.json").read_text())["users"] == len(known) == 60


def test_without_interactions_nothing_is_scored(tmp_path: Path) -> None:
    _, model = fitted(tmp_path, "rows")
    (tmp_path / "tonight.tsv").write_text("user\titem\tweight\n")
    with pytest.raises(InputError, match="holds no interaction"):
        scored(tmp_path, model, "scores")


def test_what_is_shown_of_an_artist_is_written_where_it_is_given(tmp_path: Path) -> None:
    data, _model = fitted(tmp_path, "rows")
    concerts = pd.DataFrame(
        [
            ("c2", "i1", "One", "2026-12-02", None, "ZÜRICH", "CH", None),
            ("c1", "x", "X", "2026-12-01", "", "", "CH", ""),
        ],
        columns=list(predict.EVENT_COLUMNS),
    )
    (tmp_path / "events").mkdir()
    concerts.to_parquet(tmp_path / "events" / "part.parquet")
    events = predict.read_rows(tmp_path / "events", predict.EVENT_COLUMNS)
    names = [{"artist_id": "i1", "name": "Act"}, {"artist_id": "nobody heard of", "name": "Nobody"}]
    shown = {row["artist_id"]: row for row in predict.artists(data, names, events)}
    assert set(shown) == {"i1", "x"}
    assert (shown["i1"]["name"], [event["concert_id"] for event in shown["i1"]["events"]]) == ("Act", ["c2"])
    assert [(row["place"], len(row["events"])) for row in predict.places(events)] == [("ch", 2), ("zürich", 1)]
    concerts.drop(columns="city").to_parquet(tmp_path / "events" / "part.parquet")
    with pytest.raises(InputError, match="events lacks the column city"):
        predict.read_rows(tmp_path / "events", predict.EVENT_COLUMNS)
