"""What forecasts of the past teach about the next: how to blend the members and how wide an interval must be.

Only forecasts of reports that their model had not seen count. The intervals are split conformal around a quantile
range: Romano, Patterson and Candes, Conformalized Quantile Regression, NeurIPS 2019, each end by itself, since sales
pile up at a full house: the upper end lets a tenth through at most, the lower one brings the whole to 80 %.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

HIGHEST = 1.2  # of capacity: standing room has its limits
COVERAGE = 0.8
ABOVE = 0.1  # of outcomes may lie above the interval
NARROWEST = 0.01  # of capacity: a range is not scaled by less
FEWEST = 50  # outcomes that a blend or a group's margin is taken from
TOLERANCE = 1.01  # of the smallest squared error counts as small
STEPS = 4  # a blend is in quarters
NO_MARGINS = {"warm": {"lower": 0.0, "upper": 0.0}, "cold": {"lower": 0.0, "upper": 0.0}}


def mix(members: pd.DataFrame, weights: dict[str, float]) -> pd.Series:
    """The blend of the members' forecasts."""
    total = pd.Series(0.0, index=members.index)
    for name, weight in weights.items():
        if weight:
            total = total + weight * members[name]
    return total.clip(0.0, HIGHEST)


def blend(members: pd.DataFrame, target: pd.Series, capacity: pd.Series) -> dict[str, float]:
    """Weights of nearly the smallest squared error of utilisation, and among those of the smallest error of tickets."""
    names = [name for name in ("median", "mean", "share", "process") if name in members]
    even = dict.fromkeys(names, 1 / len(names))
    if len(members) < FEWEST:
        return even
    values, actual = members[names].to_numpy(float), target.to_numpy(float)
    seats = capacity.to_numpy(float)
    tried = [part for part in product(range(STEPS + 1), repeat=len(names)) if sum(part) == STEPS]
    mixed = values @ (np.array(tried, dtype=float).T / STEPS)
    errors = mixed - actual[:, None]
    squared, absolute = (errors**2).mean(axis=0), (np.abs(errors) * seats[:, None]).sum(axis=0)
    absolute[squared > TOLERANCE * squared.min()] = np.inf
    best = tried[int(absolute.argmin())]
    return {name: part / STEPS for name, part in zip(names, best, strict=True)}


def _ends(judged: pd.DataFrame, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    width = (judged["high"] - judged["low"]).clip(lower=NARROWEST).to_numpy()
    predicted = judged["predicted"].to_numpy()
    low = np.minimum(judged["low"].to_numpy() - lower * width, predicted)
    high = np.maximum(judged["high"].to_numpy() + upper * width, predicted)
    return np.clip(low, 0.0, HIGHEST), np.clip(high, 0.0, HIGHEST)


def interval(judged: pd.DataFrame, reports: pd.Series, known: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Forecast with its interval: columns predicted, lower, upper.

    :param judged: columns predicted, low, high
    :param reports: number of the act's reports known, none of which makes it cold
    """
    group = np.where(reports.to_numpy() > 0, "warm", "cold")
    lower, upper = (np.array([known[name][end] for name in group], dtype=float) for end in ("lower", "upper"))
    low, high = _ends(judged, lower, upper)
    return pd.DataFrame({"predicted": judged["predicted"], "lower": low, "upper": high}, index=judged.index)


def margins(judged: pd.DataFrame, target: pd.Series, reports: pd.Series) -> dict[str, dict[str, float]]:
    """What to add to both ends of the range, in its widths, for it to hold 80 % of outcomes, by how known an act is."""
    warm = (reports > 0).to_numpy()
    everyone = _margin(judged, target)
    found = {}
    for name, rows in (("warm", warm), ("cold", ~warm)):
        found[name] = _margin(judged[rows], target[rows]) if rows.sum() >= FEWEST else everyone
    return found


def _margin(judged: pd.DataFrame, target: pd.Series) -> dict[str, float]:
    if len(judged) < FEWEST:
        return {"lower": 0.0, "upper": 0.0}
    width = (judged["high"] - judged["low"]).clip(lower=NARROWEST).to_numpy()
    actual, predicted = target.to_numpy(float), judged["predicted"].to_numpy()
    above = np.where(actual <= predicted, -np.inf, (actual - judged["high"].to_numpy()) / width)
    upper = _quantile(above, 1 - ABOVE)
    _, high = _ends(judged, np.zeros(len(judged)), np.full(len(judged), upper))
    below = np.where(actual >= predicted, -np.inf, (judged["low"].to_numpy() - actual) / width)
    below[actual > high] = np.inf
    return {"lower": _quantile(below, COVERAGE), "upper": upper}


def _quantile(needed: np.ndarray, share: float) -> float:
    """The conformal quantile: what so many of the next outcomes need at most; infinite ones cannot be served."""
    rank = min(len(needed), int(np.ceil((len(needed) + 1) * share)))
    value = float(np.sort(needed)[rank - 1])
    return float(np.clip(value, -0.5, 20.0))
