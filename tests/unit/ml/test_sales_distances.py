"""Forecasts from a day to years before a period begins: what they see, and how sure they say they are."""

import numpy as np
import pandas as pd
import pytest

from ml.sales import card, features, predict, rolling, train
from tests.unit.ml.synthetic_concerts import concerts
from tests.unit.ml.test_sales import options, reports


@pytest.fixture(scope="module")
def trained() -> train.Trained:
    return train.train(reports(), options())


def test_each_target_may_have_a_horizon_of_its_own() -> None:
    known = reports()
    ahead = pd.Series(np.resize([1, 30, 200], len(known)), index=known.index)
    mixed = features.build(known, known, ahead)
    for days in (1, 30, 200):
        alike = features.build(known, known, days)
        pd.testing.assert_frame_equal(mixed[ahead == days], alike[ahead == days])


def test_nothing_of_the_days_between_a_forecast_and_its_event_is_seen() -> None:
    known = reports()
    target = known.tail(1)
    cutoff = target["period_start"].iloc[0] - pd.Timedelta(days=91)
    changed = known.assign(tickets_sold=known["tickets_sold"].where(known["period_end"] <= cutoff, 1))
    before, after = (features.build(history, target, 91) for history in (known, changed))
    pd.testing.assert_frame_equal(before, after)


def test_the_figures_are_told_by_distance(trained: train.Trained) -> None:
    told = trained.report["by_distance"]
    assert [one["days"] for one in told] == list(train.DISTANCES)
    assert sum(one["reports"] for one in told) == trained.report["rows"]["holdout"]
    assert f"| 364 | {told[4]['reports']} | {told[4]['wape']:.2%} |" in card.written(trained.report)


def test_a_model_that_forecasts_the_next_day_worse_is_seen_to(trained: train.Trained) -> None:
    figures = trained.evaluation["segments"]["next_day"]
    assert figures["count"] == trained.report["by_distance"][0]["reports"]
    assert figures["value"] == pytest.approx(trained.report["by_distance"][0]["wape"])


def test_an_event_further_away_has_a_wider_interval(trained: train.Trained) -> None:
    known = reports()
    as_of = known["period_end"].max()
    near = known.tail(4).assign(concert_id=["a", "b", "c", "d"], capacity_basis="venue")
    widths = []
    for days in (2, 300):
        start = as_of + pd.Timedelta(days=days)
        events = near.assign(period_start=start, period_end=start)
        found = predict.forecast(trained.kept, known, events, f"{as_of:%Y-%m-%d}")
        widths.append((found["upper_tickets"] - found["lower_tickets"]).mean())
    assert widths[1] > 1.2 * widths[0]


def test_a_report_keeps_its_distance_when_others_come_and_each_distance_is_drawn_as_told() -> None:
    known = reports(acts=20)
    judged = train.distances(known, 7, 1 / 6)
    assert judged.value_counts(normalize=True).between(0.14, 0.19).all()
    assert train.distances(known.iloc[100:], 7, 1 / 6).equals(judged.iloc[100:])
    assert not train.distances(known, 8, 1 / 6).equals(judged)
    taught = train.distances(known, 7, train.NEAR).value_counts(normalize=True)
    assert 0.47 < taught[1] < 0.53
    assert taught.drop(1).between(0.08, 0.12).all()


def test_the_distance_of_an_event_is_the_days_from_the_day_of_the_forecast() -> None:
    events = pd.DataFrame({"period_start": ["2017-02-02", "2017-02-01", "2018-02-01"]})
    assert list(predict.days_ahead(events, "2017-02-01")) == [1, 1, 365]


@pytest.fixture(scope="module")
def asked() -> tuple[pd.DataFrame, pd.DataFrame]:
    known = concerts(rows=900, seed=5)
    known = known.assign(artist_id=known["artist"], venue_id=known["venue"])
    return known, known.tail(60)


def test_one_report_that_began_years_before_the_others_costs_them_nothing(
    asked: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    known, targets = asked
    odd = targets.index[0]
    known = known.assign(
        period_start=known["period_start"].mask(known.index == odd, known["period_start"] - pd.Timedelta(days=1500))
    )
    settings = rolling.Settings(refit_days=182, threads=1)
    every = rolling.forecast(known, known.loc[targets.index], settings)
    others = rolling.forecast(known, known.loc[targets.index[1:]], settings)
    pd.testing.assert_frame_equal(every.drop(odd), others)
    assert 0 <= every["predicted"][odd] <= 1.2


def test_trainings_may_be_further_apart_than_any_history(asked: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    known, targets = asked
    found = rolling.forecast(known, targets, rolling.Settings(refit_days=36_500, threads=1))
    assert found["predicted"].between(0, 1.2).all()
