"""Prices behind the revenue of a forecast: of one currency, and of late."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.sales import features, prices
from ml.sales.prices import PriceRange


def paid(price: float, currency: str | None, end: str, artist_id: str = "a", venue_id: str = "v") -> dict[str, Any]:
    return {"artist_id": artist_id, "venue_id": venue_id, "city": "", "period_start": end, "period_end": end,
            "performances": 1, "capacity": 120, "tickets_sold": 100, "gross": 100 * price,
            "currency": currency}  # fmt: skip


def of(history: list[dict[str, Any]], **event: Any) -> PriceRange:
    frame = pd.DataFrame(history).assign(period_end=lambda rows: pd.to_datetime(rows["period_end"]))
    return prices.ranges(frame, pd.DataFrame([{"artist_id": "a", "venue_id": "v", **event}]))[0]


def test_prices_of_former_decades_are_left_out() -> None:
    old = [paid(20, "USD", f"1990-01-{day:02}") for day in range(1, 29)]
    assert of([*old, paid(100, "USD", "2018-01-01"), paid(100, "USD", "2018-01-08")]) == PriceRange(100, 100, "USD")


def test_prices_of_several_currencies_are_not_mixed() -> None:
    abroad = [paid(9000, "JPY", f"2018-01-{day:02}", venue_id="dome") for day in range(1, 11)]
    at_home = [paid(60, "EUR", f"2018-02-{day:02}") for day in range(1, 11)]
    assert of([*abroad, *at_home]) == PriceRange(60, 60, "EUR")
    assert of([*abroad, *at_home], venue_id="dome") == PriceRange(9000, 9000, "JPY")


def test_an_act_new_to_a_currency_gets_the_prices_of_the_house() -> None:
    history = [paid(60, "EUR", "2018-02-01"), paid(40, "GBP", "2018-02-01", artist_id="b", venue_id="hall")]
    assert of(history, venue_id="hall") == PriceRange(40, 40, "GBP")


def test_an_act_at_a_new_house_gets_its_own_prices() -> None:
    history = [
        paid(60, "EUR", "2018-02-01"),
        paid(60, "EUR", "2018-02-02"),
        paid(50, "USD", "2018-02-03", venue_id="w"),
    ]
    assert of(history, venue_id="new") == PriceRange(60, 60, "EUR")


def test_prices_that_an_act_took_decades_ago_yield_to_those_that_the_house_takes_now() -> None:
    history = [paid(20, "USD", "1990-01-01"), paid(100, "USD", "2018-01-01", artist_id="b", venue_id="hall")]
    assert of(history, venue_id="hall") == PriceRange(100, 100, "USD")


def test_an_event_without_an_act_gets_no_prices_of_reports_without_one() -> None:
    history = [paid(300, "USD", "2018-01-01", artist_id="", venue_id="")]
    assert of(history, artist_id="", venue_id="") == PriceRange(None, None, None)


def test_announced_prices_come_first_in_their_own_currency() -> None:
    found = of([paid(60, "EUR", "2018-02-01")], min_price=30.0, max_price=90.0, currency="USD")
    assert found == PriceRange(30, 90, "USD")


def test_without_any_price_there_is_no_range_and_without_a_currency_none_is_claimed() -> None:
    assert of([paid(float("nan"), "EUR", "2018-02-01")]) == PriceRange(None, None, None)
    assert of([paid(60, None, "2018-02-01")]) == PriceRange(60, 60, None)


def test_a_price_in_another_currency_than_the_acts_is_no_feature_whatever_others_come_later() -> None:
    known = [paid(60, "EUR", "2018-02-01"), paid(9000, "JPY", "2018-02-15"), paid(66, "EUR", "2018-02-22")]
    later = [paid(100, "USD", "2019-01-01", artist_id=f"a{number}") for number in range(20)]
    target = pd.DataFrame([paid(0, "EUR", "2018-03-01")])
    for history in (known, [*known, *later]):
        (row,) = features.build(pd.DataFrame(history), target).to_dict("records")
        assert row["act_price"] == pytest.approx(np.log(66), rel=1e-5)
        assert row["act_price_trend"] == pytest.approx(np.log(66 / 60) / 2, rel=1e-4)
