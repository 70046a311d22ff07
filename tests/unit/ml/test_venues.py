"""Venue analyses: what they say, how sure they are, and what they refuse to say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ml.venues import analysis, analyze, evaluate, features, model, predict, service, train
from ml.venues.errors import UnknownVenueError

COLUMNS = ["source", "report_id", "show", "artist", "venue", "city", "country", "period_start", "period_end",
           "performances", "capacity", "tickets_sold", "gross", "currency", "average_price", "top_price"]  # fmt: skip


def reports(
    venues: int = 8, months: int = 60, growth: float = 0.0, nights: bool = False, noise: float = 0.05, seed: int = 1
) -> pd.DataFrame:
    """A report a month (or a night) of each venue; a show runs for five reports; venue n sells about 50 + 5 n %."""
    random = np.random.default_rng(seed)
    rows = []
    for venue in range(venues):
        for month in range(months):
            start = pd.Timestamp("2015-01-03") + pd.DateOffset(months=month)
            if nights:
                start += pd.Timedelta(days=int(random.integers(0, 7)))
            end = start if nights else start + pd.Timedelta(days=6)
            performances, seats = (1, 1000 + 20 * venue) if nights else (8, 1000 + 20 * venue)
            rate = np.clip(0.5 + 0.05 * venue + 0.1 * (start.month == 12) + random.normal(0, noise), 0.05, 1)
            rate = np.clip(rate + 0.2 * (nights and start.dayofweek == 5), 0.05, 1)
            sold = round(rate * seats * performances)
            price = 50 * (1 + growth) ** (month / 12)
            rows.append(
                ("test", f"{venue}|{month}", f"show {month // 5}", None, f"Hall {venue}", "Oslo", "NO", start, end,
                 performances, seats * performances, sold, sold * price, "NOK", price, None)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def analysed(frame: pd.DataFrame, venue: str = "hall-3-oslo-no") -> dict:
    rows = features.build(frame)
    return analysis.analyze(rows, features.per_venue(rows), model.fit(rows), venue)


def test_attendance_lies_within_its_interval_and_names_its_basis() -> None:
    found = analysed(reports())
    rate = found["attendance_rate"]
    assert rate["lower_80"] < rate["estimate"] < rate["upper_80"]
    assert rate["estimate"] == pytest.approx(0.66, abs=0.03)
    assert found["basis"] | {"from": "", "through": ""} == {
        "reports": 60, "performances": 480, "engagements": 12, "from": "", "through": "", "undated_reports": 0,
        "evidence": "strong",
    }  # fmt: skip


def test_a_venue_of_one_report_is_drawn_to_the_others_and_called_weak() -> None:
    frame = reports(noise=0.4)
    one = frame.iloc[[0]].assign(venue="Shed", tickets_sold=80, report_id="shed")
    found = analysed(pd.concat([frame, one]), "shed-oslo-no")
    plain, estimate = found["attendance_rate"]["plain"], found["attendance_rate"]["estimate"]
    assert plain < 0.02
    assert estimate > 0.1
    assert found["basis"]["evidence"] == "weak"
    width = found["attendance_rate"]["upper_80"] - found["attendance_rate"]["lower_80"]
    strong = analysed(frame)["attendance_rate"]
    assert width > 1.5 * (strong["upper_80"] - strong["lower_80"])


@pytest.mark.parametrize("growth", [0.08, -0.05])
def test_a_revenue_trend_is_found(growth: float) -> None:
    trend = analysed(reports(growth=growth))["revenue_trend"]
    assert trend["per_year"] == pytest.approx(growth, abs=0.02)
    assert trend["direction"] == ("rising" if growth > 0 else "falling")


def test_one_absurd_month_does_not_bend_the_trend() -> None:
    frame = reports(growth=0.08)
    frame.loc[frame["report_id"] == "3|58", "gross"] *= 100
    assert analysed(frame)["revenue_trend"]["per_year"] == pytest.approx(0.08, abs=0.03)


def test_the_trend_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = []
    for seed in range(10):
        rows = features.build(reports(seed=seed, noise=0.1))
        for venue in range(8):
            trend = analysis.revenue_trend(rows[rows["venue"] == f"Hall {venue}"])
            held.append(trend["lower_80"] <= 0 <= trend["upper_80"])
    assert 0.68 <= np.mean(held) <= 0.92


def test_too_few_months_give_no_trend_but_a_reason() -> None:
    trend = analysed(reports(months=10))["revenue_trend"]
    assert trend["per_year"] is None
    assert trend["reason"] == "24 months with revenue are needed, there are 10"


def test_december_stands_out_where_it_sells_more() -> None:
    months = {row["month"]: row["effect"] for row in analysed(reports())["seasonality"]["month"]}
    assert max(months, key=lambda month: months[month]) == "December"
    assert months["December"] == pytest.approx(0.09, abs=0.03)


def test_weekdays_come_from_single_nights_only() -> None:
    assert analysed(reports())["seasonality"]["weekday"]["effects"] is None
    weekday = analysed(reports(nights=True))["seasonality"]["weekday"]
    effects = {row["weekday"]: row["effect"] for row in weekday["effects"]}
    assert max(effects, key=lambda day: effects[day]) == "Saturday"


def test_the_rank_is_among_venues_of_like_size() -> None:
    frame = reports()
    arena = frame[frame["venue"] == "Hall 7"].copy()
    arena[["capacity", "tickets_sold"]] *= 30
    arena["tickets_sold"] = arena["capacity"]
    frame = pd.concat([frame, arena.assign(venue="Arena", report_id="a" + arena["report_id"])])
    rank = analysed(frame, "hall-7-oslo-no")["rank"]
    assert (rank["place"], rank["of"]) == (1, 8)
    assert analysed(frame, "hall-0-oslo-no")["rank"]["place"] == 8


def test_reports_without_dates_are_analysed_without_trend() -> None:
    frame = reports().assign(period_start=pd.NaT, period_end=pd.NaT)
    found = analysed(frame)
    assert found["basis"]["undated_reports"] == 60
    assert found["revenue_trend"]["per_year"] is None
    assert found["attendance_rate"]["estimate"] > 0.5


@pytest.mark.parametrize("broken", [0, np.nan])
def test_capacity_zero_or_missing_is_left_out(broken: float) -> None:
    frame = reports().astype({"capacity": float})
    frame.loc[frame["report_id"] == "3|0", "capacity"] = broken
    assert analysed(frame)["basis"]["reports"] == 59


def test_no_usable_report_is_said() -> None:
    with pytest.raises(features.NoReportsError, match="no report has a venue"):
        features.build(reports(1, 1).assign(capacity=0))


def test_one_report_alone_is_enough_for_an_answer() -> None:
    found = analysed(reports(1, 1), "hall-0-oslo-no")
    assert found["rank"]["of"] == 1
    assert 0 <= found["attendance_rate"]["lower_80"] <= found["attendance_rate"]["upper_80"]


def test_renaming_a_venue_changes_nothing_else() -> None:
    frame = reports()
    renamed = frame.assign(venue=frame["venue"].replace("Hall 3", "Żagle"))
    first, second = analysed(frame), analysed(renamed, "zagle-oslo-no")
    for name in ("venue", "venue_id"):
        del first[name], second[name]
    assert first == second


def test_shrinking_forecasts_better_than_the_plain_mean() -> None:
    rows = features.build(reports(venues=20, months=80, noise=0.15))
    one = evaluate.evaluate(rows, seed=1)["1"]
    assert one["shrunk"] < one["plain_mean"]


def test_tours_that_sold_out_once_at_many_venues_do_not_make_the_others_look_alike() -> None:
    frame = reports(venues=14, noise=0.2)
    arenas = pd.concat(
        [
            frame.head(1).assign(venue=f"Arena {number}", report_id=f"tour-{number}", capacity=60_000, performances=1,
                                 tickets_sold=60_000)
            for number in range(150)
        ]
    )  # fmt: skip
    alone, beside = (analysed(one)["attendance_rate"] for one in (frame, pd.concat([frame, arenas])))
    widths = [rate["upper_80"] - rate["lower_80"] for rate in (alone, beside)]
    assert widths[1] > 0.7 * widths[0]
    assert beside["estimate"] == pytest.approx(alone["estimate"], abs=0.03)


def test_files_are_analysed_with_a_chart_per_venue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING", "matplotlib")  # looks for fonts once a machine; Airflow's test logging prints that
    reports(2, 30).to_csv(tmp_path / "reports.csv", index=False)
    named = ["--reports", str(tmp_path / "reports.csv"), "--format", "canonical", "--output", str(tmp_path / "out")]
    analyze.run([*named, "--venue", "hall 1"])
    assert json.loads(capsys.readouterr().out)[0]["venue"] == "Hall 1"
    assert (tmp_path / "out" / "hall-1-oslo-no.png").read_bytes().startswith(b"\x89PNG")
    analyze.run(named)
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


@pytest.mark.parametrize("command", [analyze.run, evaluate.main], ids=["analyze", "evaluate"])
def test_both_commands_tell_of_reports_whose_key_comes_again(
    command: Callable[[list[str]], None], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(analyze.charts, "draw", lambda found, own, path: None)
    frame = reports(2, 30)
    frame.assign(report_id=[number // 2 for number in range(len(frame))]).to_csv("reports.csv", index=False)
    command(["--reports", "reports.csv"])
    assert f"{len(frame) // 2} whose source and report_id come again" in capsys.readouterr().err


def test_only_the_best_venues_are_drawn_unless_all_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(analyze.charts, "draw", lambda found, own, path: drawn.append(path.name))
    reports(30, 3).to_csv(tmp_path / "reports.csv", index=False)
    named = ["--reports", str(tmp_path / "reports.csv"), "--output", str(tmp_path / "out")]
    analyze.run(named)
    assert "charts of the first 20 of 30 venues: --charts all draws each" in capsys.readouterr().err
    best = json.loads((tmp_path / "out" / "venues.json").read_text())[:20]
    assert drawn == [f"{found['venue_id']}.png" for found in best]
    for arguments, count in ((["--charts", "all"], 30), (["--charts", "3"], 3), (["--no-charts"], 0)):
        drawn.clear()
        analyze.run([*named, *arguments])
        assert len(drawn) == count


def test_analyses_made_together_are_those_made_one_by_one() -> None:
    rows = features.build(reports())
    venues, fitted = features.per_venue(rows), model.fit(rows)
    together = analysis.analyze_all(rows, venues, fitted)
    assert together == [analysis.analyze(rows, venues, fitted, str(name)) for name in venues.index]
    rates = fitted.rates(venues)
    for name, row in zip(venues.index, venues.itertuples(), strict=True):
        assert rates[name] == fitted.shrunk(row.engagement_rate, row.engagements, row.log_seats)[0]


def test_a_name_with_signs_of_formulas_can_be_drawn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "matplotlib")
    reports(1, 3).assign(venue="The $ Hall $x_{").to_csv(tmp_path / "reports.csv", index=False)
    analyze.run(["--reports", str(tmp_path / "reports.csv"), "--output", str(tmp_path)])
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_venues_of_any_script_have_keys_of_their_own() -> None:
    names = ["東京ドーム", "日本武道館", "Зал", "Концертный зал", "A+", "A-", "!!!", "???", "हॉल", "ホール", "ボール"]
    keys = [features.venue_key(name, "Tokyo", "JP") for name in names]
    assert len(set(keys)) == len(names)
    assert keys[0] == "東京ドーム-tokyo-jp"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/", "x" * 300, "東" * 300, "a\0b", "C:\\x", "+" * 300])
def test_a_key_is_a_file_name_in_its_folder(tmp_path: Path, name: str) -> None:
    key = features.venue_key(name, None, None)
    assert 0 < len(key) <= 100
    (tmp_path / f"{key}.png").write_text("")
    assert [path.parent for path in tmp_path.rglob("*.png")] == [tmp_path]


def test_long_names_that_begin_alike_have_keys_of_their_own() -> None:
    assert features.venue_key("x" * 300, None, None) != features.venue_key("x" * 301, None, None)


@pytest.mark.parametrize("other", ["THE  FORUM", "the forum", "The Forum!", "Thé Forum"])
def test_spelling_tells_no_venues_apart(other: str) -> None:
    assert features.venue_key(other, "LA", "US") == features.venue_key("The Forum", "LA", "US") == "the-forum-la-us"


def test_a_venue_without_reports_is_named_with_the_closest(tmp_path: Path) -> None:
    reports(2, 3).to_csv(tmp_path / "reports.csv", index=False)
    with pytest.raises(UnknownVenueError, match="did you mean Hall"):
        analyze.run(["--reports", str(tmp_path / "reports.csv"), "--venue", "Hal 1"])


@pytest.fixture
def published(tmp_path: Path) -> Path:
    (tmp_path / "history").mkdir()
    reports().to_parquet(tmp_path / "history" / "part.parquet")
    folders = {name: str(tmp_path / name) for name in ("history", "model", "output")}
    train.run(["--history", folders["history"], "--model-dir", folders["model"], "--version", "v1"])
    stamps = ["--run-id", "r1", "--as-of", "2026-11-01", "--model-uri", "s3://models/v1/model.tar.gz"]
    predict.run([word for name, folder in folders.items() for word in (f"--{name}", folder)] + stamps)
    return tmp_path


def test_published_analyses_are_served_within_twenty_milliseconds(published: Path) -> None:
    answering, took = service.VenuePopularityService(service.read_files(published / "output")), []
    for _ in range(200):
        start = time.thread_time()
        found = answering.analyze_venue("hall-3-oslo-no")
        took.append(time.thread_time() - start)
    assert found["model_version"] == "v1"
    assert found["attendance_rate"]["estimate"] == analysed(reports())["attendance_rate"]["estimate"]
    assert np.quantile(took, 0.99) < 0.020


def test_an_unknown_venue_is_refused(published: Path) -> None:
    answering = service.VenuePopularityService(service.read_files(published / "output"))
    with pytest.raises(UnknownVenueError, match="has no box-office report"):
        answering.analyze_venue("nowhere")


def test_a_damaged_publication_is_refused(published: Path) -> None:
    (published / "output" / "analyses" / "analyses.json").write_text("{")
    with pytest.raises(service.PublicationError, match="publish them again"):
        service.read_files(published / "output")


def test_training_writes_a_card_with_its_figures(published: Path) -> None:
    report = json.loads((published / "model" / "metrics.json").read_text())
    assert report["metrics"]["attendance_mae"] < report["baseline"]["attendance_mae"]
    assert "80 % interval holds" in (published / "model" / "model_card.md").read_text()


@pytest.mark.parametrize("content", ["{", json.dumps({"prior": 1})])
def test_a_damaged_model_is_refused(published: Path, content: str) -> None:
    (published / "model" / "venue_model.json").write_text(content)
    with pytest.raises(model.ModelError, match="no usable venue model"):
        predict.read_model(published / "model")


def test_a_model_of_other_features_is_refused(published: Path) -> None:
    path = published / "model" / "venue_model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"feature_schema": 99}))
    with pytest.raises(model.ModelError, match="schema 99"):
        predict.read_model(published / "model")
