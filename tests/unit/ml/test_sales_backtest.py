"""The backtest of sales forecasts: what a forecast may see, what it says of odd rows, and how good it is."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_concerts import concerts

from ml.box_office import reports
from ml.sales import backtest, calibration, features, gaussian, holidays, model

ROOT = Path(__file__).parents[3]
OUTPUT = [
    "source", "report_id", "show", "artist", "venue", "period_start", "period_end",
    "actual", "predicted", "lower", "upper",
]  # fmt: skip
FIRST, LAST = pd.Timestamp("2016-06-15"), pd.Timestamp("2016-07-31")


@pytest.fixture(scope="module", autouse=True)
def few_rounds() -> Iterator[None]:
    chosen = {**model.hyperparameters(), "rounds": 15}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "hyperparameters", lambda: chosen)
        patch.setattr(gaussian, "ITERATIONS", 3)
        yield


@pytest.fixture(scope="module")
def known() -> pd.DataFrame:
    made = concerts(rows=900)
    return made[reports.COLUMNS].reset_index(drop=True)


@pytest.fixture(scope="module")
def undisturbed(known: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, object]]:
    """Rows and figures of the reports as they are."""
    return run(known)


@pytest.fixture(scope="module")
def forecast(undisturbed: tuple[pd.DataFrame, dict[str, object]]) -> pd.DataFrame:
    return undisturbed[0].set_index("report_id")


def backtested(
    known: pd.DataFrame, first: pd.Timestamp = FIRST, last: pd.Timestamp = LAST, days: str = "1"
) -> pd.DataFrame:
    return run(known, first, last, days)[0].set_index("report_id")


def run(
    known: pd.DataFrame, first: pd.Timestamp = FIRST, last: pd.Timestamp = LAST, days: str = "1"
) -> tuple[pd.DataFrame, dict[str, object]]:
    arguments = ["--reports", "-", "--format", "canonical", "--output", "-", "--horizon-days", days]
    options = backtest.parse_arguments([*arguments, "--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}"])
    return backtest.run(known, options)


def test_every_report_of_the_range_has_a_row_and_a_possible_forecast(
    known: pd.DataFrame, undisturbed: tuple[pd.DataFrame, dict[str, object]]
) -> None:
    output, figures = undisturbed
    asked = known[known["period_end"].between(FIRST, LAST)]
    assert list(output.columns) == OUTPUT
    assert list(output["report_id"]) == list(asked["report_id"])
    assert output[["predicted", "lower", "upper"]].notna().all(axis=None)
    assert (output["lower"] >= 0).all()
    assert (output["lower"] <= output["predicted"]).all()
    assert (output["predicted"] <= output["upper"]).all()
    assert (output["upper"] <= 1.2 * asked["capacity"] + 0.01).all()
    assert figures["counted"] == len(asked)
    assert {"last_utilisation", "last_value", "capacity"} <= set(figures["naive"])


def test_outcomes_of_the_future_change_no_forecast(known: pd.DataFrame, forecast: pd.DataFrame) -> None:
    """All that had not ended by a forecast's cut-off is replaced, its own outcome too."""
    middle = pd.Timestamp("2016-07-08")
    unknown = known["period_end"] > middle
    changed = known.assign(tickets_sold=known["tickets_sold"].mask(unknown, 1), gross=known["gross"].mask(unknown, 9e9))
    before, after = forecast, backtested(changed)
    due = before.index[before["period_start"] - pd.Timedelta(days=1) <= middle]
    assert len(due) > 5
    columns = ["predicted", "lower", "upper"]
    pd.testing.assert_frame_equal(before.loc[due, columns], after.loc[due, columns])


def test_reports_of_the_future_are_refused_by_the_cut(known: pd.DataFrame, forecast: pd.DataFrame) -> None:
    shorter = known[known["period_end"] <= LAST]
    columns = ["predicted", "lower", "upper"]
    pd.testing.assert_frame_equal(forecast[columns], backtested(shorter)[columns])


def test_an_answer_planted_in_columns_of_the_same_period_is_not_seen(known: pd.DataFrame) -> None:
    answer = features.utilisation(known)
    planted = known.assign(gross=answer * 1e6, average_price=answer, top_price=answer, pct_capacity=answer)
    due = planted.tail(200)
    seen = backtest.identified(planted)
    rows = features.build(seen, seen.loc[due.index])
    blind = features.build(seen, seen.loc[due.index].assign(gross=0, tickets_sold=0, average_price=0, pct_capacity=0))
    pd.testing.assert_frame_equal(rows, blind)


def test_a_shuffled_target_cannot_be_forecast(known: pd.DataFrame) -> None:
    shares = np.random.default_rng(3).permutation(features.utilisation(known))
    shuffled = known.assign(tickets_sold=(shares * known["capacity"]).round().clip(lower=1))
    _, figures = run(shuffled)
    assert figures["model"]["utilisation_r2"] < 0.05


def test_a_reversed_period_is_not_in_its_own_past(known: pd.DataFrame) -> None:
    row = known.index[known["period_end"].between(FIRST, LAST)][-1]
    turned = known.copy()
    turned.loc[row, "period_end"] = turned.loc[row, "period_start"] - pd.Timedelta(days=3)
    other = turned.copy()
    other.loc[row, "tickets_sold"] = 1
    name = turned.loc[row, "report_id"]
    assert backtested(turned).loc[name, "predicted"] == backtested(other).loc[name, "predicted"]


def test_a_horizon_below_a_day_is_refused(known: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        backtested(known, days="0")
    assert "0 is no number of days from 1 on" in capsys.readouterr().err
    with pytest.raises(ValueError, match="give at least 1"):
        features.build(known, known, 0)


def test_a_report_without_a_capacity_gets_that_of_its_venue(known: pd.DataFrame) -> None:
    asked = known[known["period_end"].between(FIRST, LAST)]
    rows = asked[asked["venue"].duplicated()].drop_duplicates("venue", keep="last").index[-3:]
    odd = known.astype({"capacity": float})
    odd.loc[rows, "capacity"] = [np.nan, 0.0, -5.0]
    output, figures = run(odd)
    for _, report in known.loc[rows].iterrows():
        earlier = known[(known["venue"] == report["venue"]) & (known["period_end"] < report["period_start"])]
        seats = (earlier["capacity"] / earlier["performances"]).iloc[-1] * report["performances"]
        found = output.set_index("report_id").loc[report["report_id"]]
        assert 0 < found["predicted"] <= 1.2 * seats + 0.01
    assert figures["counted"] == figures["rows"] - 3


def test_a_file_without_any_past_is_forecast_all_the_same(known: pd.DataFrame) -> None:
    first_day = known.head(3)
    output, _ = run(first_day, pd.Timestamp("2000-01-01"), pd.Timestamp("2030-01-01"))
    assert len(output) == 3
    assert output[["predicted", "lower", "upper"]].notna().all(axis=None)


def test_missing_tickets_and_names_drop_no_row(known: pd.DataFrame) -> None:
    odd = known.copy()
    asked = odd.index[odd["period_end"].between(FIRST, LAST)]
    odd.loc[asked[:5], "tickets_sold"] = np.nan
    odd.loc[asked[5:10], "artist"] = None
    odd.loc[asked[10:15], ["venue", "city"]] = None
    odd.loc[asked[15:20], "performances"] = np.nan
    output, _ = run(odd)
    assert len(output) == len(asked)
    assert output[["predicted", "lower", "upper"]].notna().all(axis=None)


def test_two_runs_agree(known: pd.DataFrame, forecast: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(forecast, backtested(known))


def test_forecasts_of_concerts_explain_more_than_any_naive_one() -> None:
    made = concerts(rows=2500)
    _, figures = run(made[reports.COLUMNS], pd.Timestamp("2016-06-01"), pd.Timestamp("2018-01-01"))
    best_naive = max(errors["utilisation_r2"] for errors in figures["naive"].values())
    assert figures["model"]["utilisation_r2"] > max(best_naive, 0.2)
    assert figures["model"]["wape"] < figures["naive"]["market_mean"]["wape"]
    assert 0.74 < figures["model"]["interval_80_coverage"] < 0.86


def test_a_range_without_reports_is_refused_with_the_dates_there_are(known: pd.DataFrame) -> None:
    with pytest.raises(backtest.NothingToForecastError, match="their periods end from 2012-"):
        run(known, pd.Timestamp("1999-01-01"), pd.Timestamp("1999-12-31"))


def test_the_command_writes_the_file_and_prints_the_figures(known: pd.DataFrame, tmp_path: Path) -> None:
    known.head(90).to_csv(tmp_path / "a.csv.gz", index=False)
    known.iloc[90:140].to_parquet(tmp_path / "b.parquet")
    end = known["period_end"].iloc[:140].max()
    arguments = [
        "--reports", tmp_path / "a.csv.gz", tmp_path / "b.parquet", "--format", "canonical",
        "--from", f"{end - pd.Timedelta(days=20):%Y-%m-%d}", "--to", f"{end:%Y-%m-%d}",
        "--horizon-days", "1", "--output", tmp_path / "preds.csv",
    ]  # fmt: skip
    command = [sys.executable, "-m", "ml.sales.backtest", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = pd.read_csv(tmp_path / "preds.csv")
    assert list(written.columns) == OUTPUT
    assert len(written) == known.iloc[:140]["period_end"].between(end - pd.Timedelta(days=20), end).sum()
    assert "last_utilisation" in done.stdout
    assert "80 % interval" in done.stdout


def test_an_unknown_mapping_ends_the_command_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "--reports",
        "x.csv",
        "--format",
        "none",
        "--from",
        "2020-01-01",
        "--to",
        "2020-02-01",
        "--output",
        "y",
    ]
    assert backtest.main(arguments) == 2
    assert "there is no mapping 'none'" in capsys.readouterr().err


def test_the_process_forecasts_as_the_textbook_formula_does() -> None:
    made = features.usable(backtest.identified(concerts(rows=120)[reports.COLUMNS]))
    asked = made.tail(5).assign(cutoff=made["day"].iloc[100])
    weights = dict(gaussian.COMPONENTS)
    found = gaussian.forecast(made, asked, weights)
    seen, wanted = gaussian.points(made[made["day"] <= made["day"].iloc[100]], asked)
    kernel = gaussian._kernel(seen, seen, weights).astype(float) + np.eye(len(seen)) * (weights["noise"] ** 2 + 1e-5)
    across = gaussian._kernel(seen, wanted, weights).astype(float)
    target = made["utilisation"].to_numpy()[: len(seen)] - gaussian.CENTRE
    np.testing.assert_allclose(
        found["process_mean"], gaussian.CENTRE + across.T @ np.linalg.solve(kernel, target), atol=1e-3
    )


def test_intervals_hold_the_promised_share_of_piled_up_outcomes() -> None:
    random = np.random.default_rng(5)
    actual = pd.Series(np.minimum(1, random.normal(1.03, 0.1, 4000)))
    judged = pd.DataFrame({"predicted": actual.mean(), "low": 0.9, "high": 0.99}, index=actual.index)
    reports_known = pd.Series(3, index=actual.index)
    known_margins = calibration.margins(judged[:2000], actual[:2000], reports_known[:2000])
    found = calibration.interval(judged[2000:], reports_known[2000:], known_margins)
    assert actual[2000:].between(found["lower"], found["upper"]).mean() == pytest.approx(0.8, abs=0.03)


def test_the_distance_to_a_holiday_is_that_to_the_nearest() -> None:
    days = pd.Series(pd.to_datetime(["2018-03-30", "2017-12-24", "2018-01-02", "2018-07-01", None]))
    found = holidays.distances(days)
    assert list(found["days_to_easter"].head(1)) == [2]
    assert list(found["days_to_christmas"].head(4)) == [-28, 1, -8, 28]  # four weeks at most, for a day further off
    assert found.iloc[4].isna().all()


def test_a_bill_is_split_into_its_acts() -> None:
    assert features.bill("Act A / Act B with Act C") == ["Act A", "Act B", "Act C"]
    assert features.bill("Simon & Garfunkel") == ["Simon & Garfunkel"]


@pytest.mark.parametrize("column", ["capacity", "tickets_sold"])
def test_files_without_any_capacity_or_tickets_are_refused_plainly(known: pd.DataFrame, column: str) -> None:
    with pytest.raises(backtest.NothingToForecastError, match="none of 900 reports has a capacity, tickets and dates"):
        run(known.assign(**{column: np.nan}))


def test_features_of_a_history_that_teaches_nothing_are_empty(known: pd.DataFrame) -> None:
    seen = backtest.identified(known.head(5))
    rows = features.build(seen.assign(tickets_sold=np.nan), seen)
    assert list(rows.index) == list(seen.index)
    assert rows["act_last"].isna().all()
    assert rows["log_capacity"].notna().all()


def test_a_report_whose_start_is_unknown_has_a_row_without_a_forecast(
    known: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = known.copy()
    row = odd.index[odd["period_end"].between(FIRST, LAST)][3]
    odd.loc[row, "period_start"] = pd.NaT
    odd.loc[[0, 1], ["period_start", "period_end"]] = pd.NaT
    output, figures = run(odd)
    found = output[["predicted", "lower", "upper"]].isna().all(axis=1)
    assert list(output.index[found]) == [row]
    assert figures["counted"] == figures["rows"] - 1
    backtest.tell_left_out(odd, options())
    told = capsys.readouterr().err
    assert "2 of 900 reports have no period_end that can be read: no row" in told
    assert f"1 of {len(output)} reports in the range have no period_start that can be read" in told


def options(**changed: str) -> argparse.Namespace:
    given = {"--reports": "-", "--format": "canonical", "--output": "-", "--from": f"{FIRST:%Y-%m-%d}",
             "--to": f"{LAST:%Y-%m-%d}", **{f"--{name}": value for name, value in changed.items()}}  # fmt: skip
    return backtest.parse_arguments([word for pair in given.items() for word in pair])


def test_what_is_written_gets_its_folder(known: pd.DataFrame, tmp_path: Path) -> None:
    known.head(60).to_csv(tmp_path / "a.csv", index=False)
    day = f"{known['period_end'].iloc[:60].max():%Y-%m-%d}"
    written = {"output": tmp_path / "new" / "folder" / "preds.csv", "metrics": tmp_path / "other" / "m.json"}
    asked = {"reports": tmp_path / "a.csv", "format": "canonical", "from": day, "to": day, **written}
    assert backtest.main([word for name, value in asked.items() for word in (f"--{name}", str(value))]) == 0
    assert all(path.is_file() for path in written.values())
