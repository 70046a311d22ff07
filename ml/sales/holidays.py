"""Days around which houses fill or empty, as distances that a tree can cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

FAR = 28.0  # days beyond which a holiday says nothing


def easter(year: int) -> pd.Timestamp:
    """Easter Sunday of the Gregorian calendar (anonymous algorithm, Nature, 20 April 1876)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    return pd.Timestamp(year=year, month=f // 31, day=f % 31 + 1)


def _weekday(month: int, weekday: int, nth: int) -> Callable[[int], pd.Timestamp]:
    """The nth such weekday (Monday is 0) of a month."""

    def date(year: int) -> pd.Timestamp:
        first = pd.Timestamp(year=year, month=month, day=1)
        return first + pd.Timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))

    return date


# Holidays of North America, where most of the known reports are from; those of a fixed date are in the day of the year.
HOLIDAYS: dict[str, Callable[[int], pd.Timestamp]] = {
    "king_day": _weekday(1, 0, 3),
    "presidents_day": _weekday(2, 0, 3),
    "easter": easter,
    "labour_day": _weekday(9, 0, 1),
    "columbus_day": _weekday(10, 0, 2),
    "thanksgiving": _weekday(11, 3, 4),
    "christmas": lambda year: pd.Timestamp(year=year, month=12, day=25),
}


def distances(start: pd.Series) -> pd.DataFrame:
    """Days from a report's start to the nearest date of each holiday, within -28..28."""
    days = pd.to_datetime(start)
    years = days.dt.year.dropna().astype(int)
    span = range(years.min() - 1, years.max() + 2) if len(years) else range(2000, 2001)
    found = {}
    for name, date in HOLIDAYS.items():
        dates = np.array([date(year).to_datetime64() for year in span])
        place = np.clip(np.searchsorted(dates, days.to_numpy()), 1, max(len(dates) - 1, 1))
        gaps = np.stack([(dates[np.minimum(place - back, len(dates) - 1)] - days.to_numpy()) for back in (1, 0)])
        gaps = np.where(np.isnat(gaps), np.nan, gaps / np.timedelta64(1, "D"))
        nearer = np.abs(gaps[1]) < np.abs(gaps[0])
        found[f"days_to_{name}"] = np.clip(np.where(nearer, gaps[1], gaps[0]), -FAR, FAR)
    return pd.DataFrame(found, index=start.index)
