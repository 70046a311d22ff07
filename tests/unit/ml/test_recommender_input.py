"""What the recommender's command line makes of odd files: one line that names the file, or an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml.recommender import predict, recommend
from ml.recommender.data import LARGEST_WEIGHT, InputError, read_dataset, texts
from tests.unit.ml import synthetic_listeners

ROOT = Path(__file__).parents[3]


@pytest.fixture
def listeners(tmp_path: Path) -> pd.DataFrame:
    """The rows of train.tsv, which lies beside the other files."""
    synthetic_listeners.write(tmp_path)
    return pd.read_csv(tmp_path / "train.tsv", sep="\t")


def arguments(folder: Path, train: str, *more: str) -> list[str]:
    names = {"--train": train, "--users": "users.tsv", "--output": "new/recs.tsv"}
    return [*(word for option, name in names.items() for word in (option, str(folder / name))), *more]


def scores(folder: Path, train: str, *more: str) -> pd.DataFrame:
    recommend.run(arguments(folder, train, *more))
    return pd.read_csv(folder / "new" / "recs.tsv", sep="\t")


@pytest.mark.parametrize("weight", ["1e39", "1e31", "1e300"])
def test_a_weight_that_no_score_can_hold_is_refused_with_its_line(
    tmp_path: Path, listeners: pd.DataFrame, weight: str
) -> None:
    odd = listeners.astype(str)
    odd.loc[5, "weight"] = weight
    odd.to_csv(tmp_path / "odd.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"odd\.tsv line 7 has a weight of .*, above 1e\+30: correct the row"):
        recommend.run(arguments(tmp_path, "odd.tsv"))


def test_the_largest_weight_gives_scores(tmp_path: Path, listeners: pd.DataFrame) -> None:
    listeners.assign(weight=LARGEST_WEIGHT).to_csv(tmp_path / "large.tsv", sep="\t", index=False)
    assert np.isfinite(scores(tmp_path, "large.tsv")["score"]).all()


def test_weights_of_parquet_that_are_no_numbers_are_refused(tmp_path: Path, listeners: pd.DataFrame) -> None:
    listeners.assign(weight="many").to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet has a weight that is no number .*many") as failure:
        read_dataset(tmp_path / "t.parquet")
    assert "\n" not in str(failure.value)
    listeners.assign(weight=listeners["weight"].astype(str)).to_parquet(tmp_path / "t.parquet")
    assert read_dataset(tmp_path / "t.parquet").weights.sum() == listeners["weight"].sum()


@pytest.mark.parametrize("second", ["item_id", "artist_id"])
def test_two_columns_for_one_thing_are_refused(tmp_path: Path, listeners: pd.DataFrame, second: str) -> None:
    listeners.assign(**{second: listeners["item"]}).to_csv(tmp_path / "two.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=f"several columns for item, item and {second}: keep one"):
        read_dataset(tmp_path / "two.tsv")


@pytest.mark.parametrize("sign", ["\t", "\n", "\r"])
def test_a_name_that_no_tsv_can_hold_is_refused_before_anything_is_fitted(
    tmp_path: Path, listeners: pd.DataFrame, sign: str
) -> None:
    listeners.assign(item=listeners["item"].replace("i3", f"i{sign}3")).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet has the name 'i\\.3', with a tab or a line end"):
        recommend.run(arguments(tmp_path, "t.parquet"))
    assert not (tmp_path / "new").exists()


def test_content_without_tags_is_refused(tmp_path: Path, listeners: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="the algorithm content ranks by tags alone: give --tags"):
        recommend.run(arguments(tmp_path, "train.tsv", "--algorithm", "content"))


def test_content_says_when_no_tag_helps(
    tmp_path: Path, listeners: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "few.tsv").write_text("user\titem\ttag\nnobody\tnothing\tnever\n")
    found = scores(tmp_path, "train.tsv", "--algorithm", "content", "--tags", str(tmp_path / "few.tsv"))
    assert len(found) == 600
    assert "the most popular items are written" in capsys.readouterr().err


@pytest.fixture
def numbered(tmp_path: Path, listeners: pd.DataFrame) -> pd.DataFrame:
    """The same rows with numbers for users and items, also as numbers.tsv."""
    rows = listeners.assign(**{name: listeners[name].str[1:].astype(int) for name in ("user", "item")})
    rows.to_csv(tmp_path / "numbers.tsv", sep="\t", index=False)
    return rows


def asked_with_gaps(path: Path, users: list[float]) -> list[str]:
    """Arguments for a file of users that pandas has written with a gap, so that its numbers are doubles."""
    pd.DataFrame({"user": [*users, np.nan]}).to_parquet(path)
    return ["--users", str(path)]


def test_numbers_of_parquet_with_gaps_are_the_numbers_of_other_files(
    tmp_path: Path, numbered: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    users = sorted(numbered["user"].unique())[:20]
    found = scores(tmp_path, "numbers.tsv", *asked_with_gaps(tmp_path / "users.parquet", users))
    assert list(found["user"].unique()) == users
    known = numbered[["user", "item"]].merge(found)
    assert (len(known), capsys.readouterr().err) == (0, "")
    gaps = pd.concat([numbered, pd.DataFrame({"user": [None], "item": [None], "weight": [1.0]})])
    gaps[["user", "item", "weight"]].assign(tag="loud").to_parquet(tmp_path / "tags.parquet")
    read = read_dataset(tmp_path / "numbers.tsv", tags=tmp_path / "tags.parquet")
    assert len(read.tags.tag) == len(numbered)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1.0, -0.0, 123456789.0, 2.0**53, 0.5, float("nan"), None]),
         ["1", "0", "123456789", "9007199254740992", "0.5", None, None]),
        (pa.array([7.0], pa.float32()), ["7"]),
        (pa.array([7, 2**62], pa.int64()), ["7", str(2**62)]),
        (pa.array([1.0, 2.0, 1.0]).dictionary_encode(), ["1", "2", "1"]),
        (pa.array(["a", "1.0"], pa.large_string()), ["a", "1.0"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
    ],
)  # fmt: skip
def test_identifiers_of_any_type_are_text(column: pa.Array, expected: list[str | None]) -> None:
    assert texts(pa.chunked_array([column])).to_pylist() == expected
    assert texts(pa.chunked_array([], column.type)).to_pylist() == []


def test_a_folder_may_hold_the_same_identifiers_in_several_types(tmp_path: Path, numbered: pd.DataFrame) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    numbered.iloc[::3].to_csv(folder / "a.tsv", sep="\t", index=False)
    numbered.iloc[1::3].to_parquet(folder / "b.parquet")
    numbered.iloc[2::3].astype(float).to_parquet(folder / "c.parquet")
    parts, whole = read_dataset(folder), read_dataset(tmp_path / "numbers.tsv")
    assert list(parts.users) == list(whole.users)
    assert (parts.weights != whole.weights).nnz == 0


def test_concerts_find_their_artists_whatever_type_their_identifiers_have(tmp_path: Path) -> None:
    columns = ("artist_id", "name")
    pd.DataFrame({"artist_id": [7, None], "name": ["Seven", "nobody"]}).to_parquet(tmp_path / "gaps.parquet")
    pd.DataFrame({"artist_id": ["7"], "name": ["Seven"]}).to_parquet(tmp_path / "text.parquet")
    assert predict.read_rows(tmp_path, columns) == [
        {"artist_id": "7", "name": "Seven"}, {"artist_id": "", "name": "nobody"}, {"artist_id": "7", "name": "Seven"}
    ]  # fmt: skip


def test_users_without_an_interaction_are_counted(
    tmp_path: Path, numbered: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    scores(tmp_path, "numbers.tsv", *asked_with_gaps(tmp_path / "users.parquet", [numbered["user"][0], 999999, 0.5]))
    assert capsys.readouterr().err == (
        f"2 of 3 users asked for have no interaction in {tmp_path / 'numbers.tsv'} ('999999', for one): "
        "they get the most popular items\n"
    )


def test_what_is_refused_ends_the_command_with_one_line(tmp_path: Path, listeners: pd.DataFrame) -> None:
    command = [sys.executable, "-m", "ml.recommender.recommend", *arguments(tmp_path, "none.tsv")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"{tmp_path / 'none.tsv'} does not exist: name a file with the columns user, item, weight"
    ]
