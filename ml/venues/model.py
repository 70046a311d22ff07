"""What venues of a size have in common: the prior that few reports are shrunk to, and the peers of a venue's rank.

An engagement (a show at a venue) is the unit of evidence: fifty weeks of one show say little about the next one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ml.box_office.acceptance import MOST_SEATED
from ml.venues import features

FILE = "venue_model.json"
LIKE_SIZE = 1.5  # peers have between 1 / this and this times the seats
FEWEST_PEERS = 5
Z80 = 1.2816  # half width of an 80 % interval in deviations
LEAST_MONTH_YEARS = 3.0  # years of own data that weigh as much as the other venues' seasonality


class ModelError(ValueError):
    """A stored model that cannot be used."""


@dataclass(frozen=True)
class VenueModel:
    """
    :param prior: mean attendance of a venue, ``slope`` per unit of log seats around ``centre``
    :param between: variance between venues, ``within`` between engagements at a venue
    :param month_effects: difference of utilisation from the year's mean, all venues, January first
    :param prior_variance: of the prior itself, which rests on so many venues only
    :param freedom: degrees of freedom of ``between``
    """

    prior: float
    slope: float
    centre: float
    between: float
    within: float
    month_effects: list[float]
    prior_variance: float = 0.0
    freedom: int = 100
    feature_schema: int = features.FEATURE_SCHEMA

    def expected(self, log_seats: float) -> float:
        """Attendance of a venue of this size of which nothing else is known."""
        return float(np.clip(self.prior + self.slope * (log_seats - self.centre), 0.0, 1.0))

    def shrunk(self, rate: float, engagements: int, log_seats: float) -> tuple[float, float, float]:
        """Mean attendance of engagements drawn to its prior, and its 80 % interval; without any, the prior itself."""
        weight = engagements / (engagements + self.within / self.between) if engagements else 0.0
        estimate = weight * rate + (1 - weight) * self.expected(log_seats) if engagements else self.expected(log_seats)
        variance = self.between * (1 - weight) + self.prior_variance * (1 - weight) ** 2
        half = float(stdtrit(self.freedom, 0.9) * np.sqrt(variance))
        return estimate, max(estimate - half, 0.0), min(estimate + half, MOST_SEATED)

    def rates(self, venues: pd.DataFrame) -> pd.Series:
        """The estimate of ``shrunk`` of each venue that has an engagement.

        :param venues: features.per_venue
        """
        weight = venues["engagements"] / (venues["engagements"] + self.within / self.between)
        expected = (self.prior + self.slope * (venues["log_seats"] - self.centre)).clip(0.0, 1.0)
        return weight * venues["engagement_rate"] + (1 - weight) * expected

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2))


def load(path: Path) -> VenueModel:
    """
    :raises ModelError: when it is missing, damaged or made from other features
    """
    try:
        return of(json.loads(path.read_text()), path)
    except (OSError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} holds no usable venue model ({error}): train again, or roll back") from error


def of(stored: dict[str, Any], path: Path) -> VenueModel:
    """The model of a file's content.

    :raises ModelError: when it was made from other features
    """
    model = VenueModel(**stored)
    if model.feature_schema != features.FEATURE_SCHEMA:
        schemas = f"schema {model.feature_schema}, this code reads {features.FEATURE_SCHEMA}"
        raise ModelError(f"{path} was made from feature {schemas}: train again")
    return model


def fit(rows: pd.DataFrame) -> VenueModel:
    """Prior, variances by the method of moments, and the seasonality common to all venues."""
    engagements = rows.groupby(["venue_id", "engagement"], sort=True).agg(
        sold=("tickets_sold", "sum"), offered=("capacity", "sum"), seats=("seats", "median")
    )
    rate = engagements["sold"] / engagements["offered"]
    by_venue = rate.groupby("venue_id")
    counts, means = by_venue.count(), by_venue.mean()
    log_seats = np.log(engagements["seats"]).groupby("venue_id").median()
    repeated = counts > 1
    spare = (counts[repeated] - 1).sum()
    within = float((by_venue.var()[repeated] * (counts[repeated] - 1)).sum() / spare) if spare else 0.02
    within = max(within, 1e-4)
    centre, prior, slope = _prior(log_seats, means, counts, within)
    residual = means - (prior + slope * (log_seats - centre))
    # Of the spread between venues, part is chance: within / engagements of each. Venues of one engagement say nothing
    # of that chance and are left out: a file of sold-out tours would else make all venues look alike.
    spread = float((residual[repeated] ** 2 - within / counts[repeated]).mean()) if repeated.sum() > 2 else within / 4
    between = max(spread, within / 50)
    prior_variance = float(1 / (1 / (between + within / counts)).sum())
    freedom = max(int(repeated.sum()) - 1, 2)
    return VenueModel(prior, slope, centre, between, within, _month_effects(rows), prior_variance, freedom)


def _prior(log_seats: pd.Series, means: pd.Series, counts: pd.Series, within: float) -> tuple[float, float, float]:
    """Line through the venues' means; its slope only where there are venues enough to see one."""
    weights = 1 / (within / counts + 0.01)
    centre, prior = float(np.average(log_seats, weights=weights)), float(np.average(means, weights=weights))
    spread = float(np.average((log_seats - centre) ** 2, weights=weights))
    if len(means) < 10 or spread < 1e-6:
        return centre, prior, 0.0
    slope = float(np.average((log_seats - centre) * (means - prior), weights=weights)) / (spread + 0.05)
    return centre, prior, slope


def _month_effects(rows: pd.DataFrame) -> list[float]:
    dated = rows.dropna(subset=["day"])
    if dated.empty:
        return [0.0] * 12
    year_mean = dated.groupby(["venue_id", dated["day"].dt.year])["utilisation"].transform("mean")
    effects = (dated["utilisation"] - year_mean).groupby(dated["day"].dt.month).mean().reindex(range(1, 13)).fillna(0.0)
    return [float(effect) for effect in effects]


def peers(venues: pd.DataFrame, venue_id: str) -> pd.DataFrame:
    """The venue and those of like size: within a factor of 1.5 in seats, at least the five nearest."""
    distance = (venues["log_seats"] - venues.loc[venue_id, "log_seats"]).abs()
    nearest = distance.sort_values(kind="stable").index[: FEWEST_PEERS + 1]
    return venues[(distance <= np.log(LIKE_SIZE)) | venues.index.isin(nearest)]
