"""What the search of hyperparameters judges by, and what it refuses before it needs Optuna."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.sales import model, tune
from tests.unit.ml.synthetic_concerts import concerts

UNTIL = ["--until", "2018-01-01"]
DAY = pd.Timedelta(days=1)


def refusal(tmp_path: Path, reports: pd.DataFrame) -> str:
    """The line that a search on these reports ends with."""
    reports.to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        tune.main(["--reports", str(tmp_path / "odd.csv"), "--format", "canonical", *UNTIL])
    return str(ended.value)


def weekly(weeks: int, houses: int) -> pd.DataFrame:
    """Reports of as many houses a week, in the order of their ends."""
    ends = pd.Timestamp("2015-01-04") + 7 * DAY * np.repeat(np.arange(weeks), houses)
    return pd.DataFrame({"period_start": ends - 6 * DAY, "period_end": ends})


def test_a_file_that_cannot_be_read_ends_the_search_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^tune: .*absent\.csv cannot be read"):
        tune.main(["--reports", str(tmp_path / "absent.csv"), "--format", "canonical", *UNTIL])


def test_a_file_with_too_few_reports_before_the_day_ends_the_search_with_their_number(tmp_path: Path) -> None:
    line = refusal(tmp_path, concerts(rows=300, seed=3))
    assert line.startswith(f"tune: {tmp_path / 'odd.csv'}: ")
    assert " reports with dates, capacity and tickets end before 2018-01-01, a search takes 600" in line


def test_a_file_of_one_date_ends_the_search_with_one_line(tmp_path: Path) -> None:
    day = pd.Timestamp("2017-05-01")
    line = refusal(tmp_path, concerts(rows=700, seed=3).assign(period_start=day, period_end=day))
    assert "odd.csv: of its reports that end from 2017-05-01 on, 0 begin after the 0 before them have ended" in line


def test_a_file_that_is_sold_out_ends_the_search_with_one_line(tmp_path: Path) -> None:
    reports = concerts(rows=700, seed=3)
    line = refusal(tmp_path, reports.assign(tickets_sold=reports["capacity"]))
    assert "odd.csv: the naive forecast of its last reports before 2018-01-01 has no error" in line


def test_a_run_that_began_long_before_its_fold_is_not_forecast_and_takes_nothing_from_the_history() -> None:
    reports = weekly(weeks=100, houses=8)
    plain = tune.folds(reports, Path("plain.csv"))
    assert [(len(fold.before), len(fold.later)) for fold in plain] == [(528, 136), (664, 136)]
    reports.loc[[600, 700], "period_start"] -= 700 * DAY
    for fold, before, run in zip(tune.folds(reports, Path("long.csv")), plain, (600, 700), strict=True):
        assert fold.before.equals(before.before)
        assert fold.later.equals(before.later.drop(run))


def test_nothing_that_is_forecast_had_begun_when_what_is_learnt_from_ended() -> None:
    reports = weekly(weeks=30, houses=60)
    found = tune.folds(reports, Path("weeks.csv"))
    for fold in found:
        assert reports.loc[fold.before, "period_end"].max() < reports.loc[fold.later, "period_start"].min()
    assert found[-1].later[-1] == reports.index[-1]


def test_a_fold_of_runs_that_all_began_before_it_is_refused() -> None:
    reports = weekly(weeks=100, houses=8)
    reports.loc[664:, "period_start"] -= 700 * DAY
    with pytest.raises(tune.UnsuitableReportsError, match="from 2016-08-07 on, 0 begin after the 664 before them"):
        tune.folds(reports, Path("long.csv"))


def test_the_error_is_a_share_of_the_naive_forecasts(tmp_path: Path) -> None:
    reports = concerts(rows=700, seed=3)
    reports.loc[reports.index[-5], "period_start"] -= 1500 * DAY
    reports.to_csv(tmp_path / "concerts.csv", index=False)
    found = tune.market(tmp_path / "concerts.csv", "canonical", pd.Timestamp("2018-01-01"))
    assert 0 < tune.error(found, {**model.hyperparameters(), "rounds": 20}, seed=7, threads=1) < 1


def test_the_folder_of_the_output_is_there_before_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class SearchedError(Exception):
        pass

    def search(*_: object, **__: object) -> None:
        assert (tmp_path / "new").is_dir()
        raise SearchedError

    monkeypatch.setattr(tune, "market", lambda path, mapping, until: None)
    monkeypatch.setattr(tune, "search", search)
    with pytest.raises(SearchedError):
        tune.main(
            ["--reports", "one.csv", "--format", "canonical", *UNTIL, "--output", str(tmp_path / "new" / "found.json")]
        )


def test_each_file_needs_a_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tune.main(["--reports", "one.csv", "--format", "canonical", "canonical", *UNTIL])
    assert "1 files and 2 formats" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "0.2", "nan", "inf", "soon"])
def test_a_budget_in_which_no_trial_can_begin_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tune.parse_arguments(["--reports", "one.csv", "--format", "canonical", *UNTIL, "--seconds", seconds])
    assert f"{seconds!r} is no number of seconds from 1 on" in capsys.readouterr().err
