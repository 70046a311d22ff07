"""Arguments of the command lines: what cannot work is refused before a file is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml import command_line
from ml.recommender import evaluate as evaluate_recommender
from ml.recommender import recommend
from ml.sales import backtest
from ml.venues import analyze

BACKTEST = [
    "--reports",
    "r.csv",
    "--format",
    "canonical",
    "--from",
    "2012-01-01",
    "--to",
    "2012-12-31",
    "--output",
    "o",
]
RECOMMEND = ["--train", "t.tsv", "--users", "u.tsv", "--output", "o.tsv"]


@pytest.mark.parametrize(
    ("parse", "given", "changed", "message"),
    [
        (backtest.parse_arguments, BACKTEST, ["--output", "."], "'.' is a folder: name a file to write"),
        (backtest.parse_arguments, BACKTEST, ["--output", "new/"], "'new/' is a folder"),
        (backtest.parse_arguments, BACKTEST, ["--output", "a" * 300], "cannot be written (File name too long)"),
        (analyze.parse_arguments, ["--reports", "r.csv"], ["--output", "a" * 300], "(File name too long)"),
        (backtest.parse_arguments, BACKTEST, ["--output", "file/o.csv"], "file is no folder"),
        (backtest.parse_arguments, BACKTEST, ["--metrics", "file/dir/m.json"], "file is no folder"),
        (backtest.parse_arguments, BACKTEST, ["--horizon-days", "99999999"], "is more than 36500 days"),
        (backtest.parse_arguments, BACKTEST, ["--horizon-days", "²"], "is no number of days from 1 on"),
        (backtest.parse_arguments, BACKTEST, ["--from", "2012-05-01T00:00Z"], "is no day: write YYYY-MM-DD"),
        (backtest.parse_arguments, BACKTEST, ["--from", ""], "'' is no day"),
        (backtest.parse_arguments, BACKTEST, ["--to", "2012-02-30"], "is no day"),
        (backtest.parse_arguments, BACKTEST, ["--threads", "0"], "is no whole number from 1"),
        (backtest.parse_arguments, BACKTEST, ["--seed", "-1"], "is no whole number from 0"),
        (analyze.parse_arguments, ["--reports", "r.csv"], ["--output", "file"], "file is no folder"),
        (analyze.parse_arguments, ["--reports", "r.csv"], ["--charts", "some"], "is no whole number"),
        (recommend.parse_arguments, RECOMMEND, ["--output", "."], "is a folder"),
        *(
            (evaluate_recommender.parse_arguments, ["--interactions", "t"], [f"--seeds={seeds}"], "is no whole number")
            for seeds in ("a", "1,", "-1", "")
        ),
        (evaluate_recommender.parse_arguments, ["--interactions", "t.tsv"], ["--output", "."], "is a folder"),
    ],
)  # fmt: skip
def test_an_argument_that_cannot_work_is_refused(
    parse: Callable[[list[str]], Any], given: list[str], changed: list[str], message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        parse([*given, *changed])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_days_and_seeds_are_read() -> None:
    assert command_line.day("2018-05-27") == pd.Timestamp("2018-05-27")
    assert command_line.seeds("1, 2,30") == [1, 2, 30]
    assert command_line.days("36500") == 36_500


def test_a_folder_that_cannot_be_made_ends_the_command_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="cannot be made"):
        command_line.made_parent(tmp_path / "file" / "o.csv")
