"""Shrinkage over artists, venues, cities, sizes and time at once: a Gaussian process whose forecasts feed the booster.

A new act is near its venue's and its size's past, a known one near its own; how near is learned as the variance of each
component (evidence maximisation; Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, ch. 5).

Each forecast sees the reports that had ended by its own cut-off and no later one. One Cholesky factor of the reports in
the order of their ends serves all cut-offs, since its leading block is the factor of the reports known up to then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

WINDOW = 3000  # reports that a forecast rests on at most: the cube of it is the cost
STEP = 1500  # cut-offs served by one window
LEARN_ROWS = 1200  # newest reports that the variances are learned from
CENTRE = 0.9  # of utilisation; the constant component moves it
GUEST = 0.7  # how much the second act of a bill counts beside the first
LOWEST_NOISE = 1e-3
ITERATIONS = 25

# Prior standard deviation of utilisation that each component explains, before any data.
COMPONENTS = {
    "constant": 0.10,
    "size": 0.05,
    "performances": 0.03,
    "season": 0.03,
    "market_month": 0.03,
    "act": 0.06,
    "act_month": 0.06,
    "act_year": 0.06,
    "act_size": 0.05,
    "venue": 0.05,
    "venue_year": 0.04,
    "city": 0.04,
    "act_city": 0.04,
    "noise": 0.10,
}
KNOWN = list(COMPONENTS)[:-1]


@dataclass(frozen=True)
class Points:
    """What the kernel compares: one row per report."""

    day: np.ndarray
    size: np.ndarray
    performances: np.ndarray
    acts: np.ndarray
    venue: np.ndarray
    city: np.ndarray

    def __getitem__(self, rows: slice | np.ndarray) -> Points:
        return Points(**{name: values[rows] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.day)


def _codes(*columns: pd.Series) -> list[np.ndarray]:
    """Whole numbers for the names of several columns, the same number for the same name; -1 for none."""
    together = pd.concat([column.reset_index(drop=True) for column in columns], ignore_index=True)
    codes = pd.factorize(together.mask(together.eq("")))[0].astype(np.int32)
    ends = np.cumsum([len(column) for column in columns])
    return list(np.split(codes, ends[:-1]))


def points(history: pd.DataFrame, asked: pd.DataFrame) -> tuple[Points, Points]:
    """History and targets in the kernel's terms; an act is the two first of the names on the bill."""
    names = [[frame["acts"].str[place].fillna("") for place in (0, 1)] for frame in (history, asked)]
    acts = _codes(*names[0], *names[1])
    venue, city = _codes(history["venue_id"], asked["venue_id"]), _codes(history["city"], asked["city"])
    made = []
    for place, frame in enumerate((history, asked)):
        performances = frame["performances"].to_numpy(float)
        made.append(
            Points(
                day=frame["day"].to_numpy(float),
                size=np.log(frame["capacity"].to_numpy(float) / performances),
                performances=np.log(performances),
                acts=np.stack(acts[2 * place : 2 * place + 2], axis=1),
                venue=venue[place],
                city=city[place],
            )
        )
    return made[0], made[1]


def _equal(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return ((left[:, None] == right[None, :]) & (left[:, None] >= 0)).astype(np.float32)


def _same_bill(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosine of two bills on which the second act counts GUEST: 1 for the same bill, 0 for strangers."""
    if not (left[:, 1] >= 0).any() and not (right[:, 1] >= 0).any():
        return _equal(left[:, 0], right[:, 0])
    total = np.zeros((len(left), len(right)), dtype=np.float32)
    for one, share in enumerate((1.0, GUEST)):
        for other, counted in enumerate((1.0, GUEST)):
            total += np.float32(share * counted) * _equal(left[:, one], right[:, other])
    lengths = [np.sqrt(1 + GUEST**2 * (bills[:, 1] >= 0)).astype(np.float32) for bills in (left, right)]
    return np.asarray(total / lengths[0][:, None] / lengths[1][None, :], dtype=np.float32)


def _components(left: Points, right: Points) -> Iterator[tuple[str, np.ndarray]]:
    """Correlation of each pair of reports by each component, 0..1."""
    apart = np.abs(left.day[:, None] - right.day[None, :]).astype(np.float32)
    size = (left.size[:, None] - right.size[None, :]).astype(np.float32)
    month, year = np.exp(-apart / 45), np.exp(-apart / 500)
    yield "constant", np.ones_like(apart)
    yield "size", np.exp(-0.5 * (size / 0.7) ** 2)
    yield "performances", np.exp(-0.5 * (left.performances[:, None] - right.performances[None, :]) ** 2).astype("f4")
    yield "season", np.exp(-2 * np.sin(np.pi * apart / 365.25) ** 2 / 0.5**2)
    yield "market_month", month
    first, act = _equal(left.acts[:, 0], right.acts[:, 0]), _same_bill(left.acts, right.acts)
    yield "act", act
    yield "act_month", act * month
    yield "act_year", act * year
    yield "act_size", act * np.exp(-0.5 * (size / 0.4) ** 2)
    venue, city = _equal(left.venue, right.venue), _equal(left.city, right.city)
    yield "venue", venue
    yield "venue_year", venue * year
    yield "city", city
    yield "act_city", first * city


def _kernel(left: Points, right: Points, weights: dict[str, float]) -> np.ndarray:
    total = np.zeros((len(left), len(right)), dtype=np.float32)
    for name, component in _components(left, right):
        total += np.float32(weights[name] ** 2) * component
    return total


def learn(history: pd.DataFrame) -> dict[str, float]:
    """Standard deviation of each component that makes the newest reports most likely.

    :param history: reports with acts, venue_id, city, capacity, performances, day and utilisation
    """
    if len(history) < 50:
        return dict(COMPONENTS)
    newest = history.tail(LEARN_ROWS)
    known, _ = points(newest, newest)
    parts = [part.astype(np.float64) for _, part in _components(known, known)]
    target = newest["utilisation"].to_numpy(float) - CENTRE
    names = list(COMPONENTS)
    prior = np.log([COMPONENTS[name] ** 2 for name in names])

    def surprise(logs: np.ndarray) -> tuple[float, np.ndarray]:
        variance = np.exp(logs)
        covariance = sum(v * part for v, part in zip(variance[:-1], parts, strict=True))
        covariance = covariance + (variance[-1] + LOWEST_NOISE**2) * np.eye(len(target))
        factor = cholesky(covariance, lower=True)
        inverse, _ = dpotri(factor, lower=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        alpha = inverse @ target
        outer = inverse - np.outer(alpha, alpha)
        slope = [0.5 * v * float(np.vdot(outer, part)) for v, part in zip(variance[:-1], parts, strict=True)]
        slope.append(0.5 * variance[-1] * float(np.trace(outer)))
        # A weak pull to the prior keeps a component of which the data say nothing where it was.
        pull = (logs - prior) / 4
        value = 0.5 * float(target @ alpha) + float(np.log(np.diag(factor)).sum()) + 2 * float((pull**2).sum())
        return value, np.array(slope) + pull

    bounds = [(low - 9, low + 5) for low in prior]
    found = minimize(surprise, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS})
    return {name: float(np.exp(log / 2)) for name, log in zip(names, found.x, strict=True)}


def forecast(history: pd.DataFrame, asked: pd.DataFrame, weights: dict[str, float]) -> pd.DataFrame:
    """Mean and standard deviation of utilisation of each target, from the reports that had ended by its cut-off.

    :param history: as in learn(), in the order of `day`, the day of its end
    :param asked: targets with the same columns but utilisation, and `cutoff`; `day` is that of their start
    """
    known, wanted = points(history, asked)
    target = history["utilisation"].to_numpy(np.float32) - np.float32(CENTRE)
    counts = np.searchsorted(known.day, asked["cutoff"].to_numpy(float), side="right")
    own = float(sum(weights[name] ** 2 for name in KNOWN))
    noise = max(weights["noise"], LOWEST_NOISE) ** 2
    mean, variance = np.zeros(len(asked)), np.full(len(asked), own)
    served = np.maximum(counts - 1, 0) // STEP
    for block in np.unique(served[counts > 0]):
        rows = np.flatnonzero((served == block) & (counts > 0))
        end = int(counts[rows].max())
        start = max(0, int(block) * STEP - (WINDOW - STEP))
        seen = known[start:end]
        factor = _kernel(seen, seen, weights)
        factor[np.diag_indices_from(factor)] += np.float32(noise + 1e-5)
        factor = cholesky(factor, lower=True, overwrite_a=True, check_finite=False)
        whitened = solve_triangular(factor, target[start:end], lower=True, check_finite=False)
        cross = solve_triangular(factor, _kernel(seen, wanted[rows], weights), lower=True, check_finite=False)
        cross[np.arange(end - start)[:, None] >= (counts[rows] - start)[None, :]] = 0
        mean[rows] = whitened @ cross
        variance[rows] = own - np.einsum("ij,ij->j", cross, cross)
    deviation = np.sqrt(np.maximum(variance, 0) + noise)
    return pd.DataFrame({"process_mean": mean + CENTRE, "process_deviation": deviation}, index=asked.index)
