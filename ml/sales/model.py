"""The sales model: several boosters on utilisation around a Gaussian process, blended, with conformal intervals.

    median    absolute error of what utilisation adds to the act's last one, moved by the season
    mean      squared error of what it adds to the process
    share     logistic loss of the filled share of 1.2 x capacity: bounded, for houses that mostly sell out
    process   the process itself, all there is for a history too small to train on
    range     10 % and 90 % quantiles, which calibration widens or narrows to hold 80 % of outcomes

`predicted` estimates the mean: the blend has nearly the smallest squared error on reports that its members had not
seen, and among such blends the smallest WAPE, so that a symmetric market gets the steadier median.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

from ml.sales import calibration, features, gaussian

METADATA_FILE = "metadata.json"
HYPERPARAMETERS_FILE = Path(__file__).with_name("hyperparameters.json")
HIGHEST = calibration.HIGHEST
COVERAGE = calibration.COVERAGE
FEWEST_ROWS = 100  # reports that a booster is trained on at least

# Best first: what stands in for the last utilisation of an act that has none.
FALLBACKS = ["act_last", "venue_mean_13", "city_mean_13", "market_mean_13"]

BOOSTERS: dict[str, dict[str, Any]] = {
    "median": {"objective": "reg:absoluteerror"},
    "mean": {"objective": "reg:squarederror"},
    "share": {"objective": "reg:logistic"},
    "range": {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9]},
}
MEMBERS = ("median", "mean", "share", "process")
EVEN = dict.fromkeys(MEMBERS, 0.25)
PROCESS_ALONE = {**dict.fromkeys(MEMBERS, 0.0), "process": 1.0}

# What sense demands, whatever the data say: past demand above this house fills it, more seats than usual empty it.
MONOTONE = {"act_demand_ratio": 1, "act_capacity_ratio": -1}
MONOTONE_SHARE = {**MONOTONE, "process_mean": 1, "act_shrunk": 1, "venue_shrunk": 1, "act_last_in_season": 1}


class IncompatibleModelError(ValueError):
    """A stored model was trained with other features than this code computes."""


class UnreadableModelError(ValueError):
    """A stored model is damaged or incomplete."""


def hyperparameters() -> dict[str, Any]:
    """Those that the last search has found (ml.sales.tune)."""
    found: dict[str, Any] = json.loads(HYPERPARAMETERS_FILE.read_text())["hyperparameters"]
    return found


@dataclass(frozen=True)
class SalesModel:
    """Trained boosters with all that a forecast needs beside them.

    :param boosters: by name; none for a history too small to train on
    :param mean_utilisation: of the training data, for a target without any history at all
    :param process: weights of the Gaussian process that the features were built with
    :param blend: weight of each member in `predicted`
    :param margins: by how well an act is known (cold, warm), what is added to both ends of the range, in its widths
    """

    boosters: dict[str, xgb.Booster]
    mean_utilisation: float
    process: dict[str, float]
    blend: dict[str, float] = field(default_factory=lambda: dict(EVEN))
    margins: dict[str, dict[str, float]] = field(default_factory=lambda: dict(calibration.NO_MARGINS))

    def members(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast of each member and the uncalibrated range (columns low, high), all within 0..1.2."""
        process, deviation = rows["process_mean"].to_numpy(float), rows["process_deviation"].to_numpy(float)
        found = pd.DataFrame({"process": process}, index=rows.index)
        low, high = process - 1.28 * deviation, process + 1.28 * deviation
        if self.boosters:
            matrix = xgb.DMatrix(rows[features.FEATURES])
            last = anchor(rows).to_numpy()
            found["median"] = last + self.boosters["median"].predict(matrix)
            found["mean"] = process + self.boosters["mean"].predict(matrix)
            found["share"] = self.boosters["share"].predict(matrix) * HIGHEST
            ends = np.sort(self.boosters["range"].predict(matrix).reshape(len(rows), 2), axis=1) + last[:, None]
            cold = (
                rows["act_reports"].to_numpy() == 0
            )  # the boosters have seen few such acts: no narrower than the process
            low = np.where(cold, np.minimum(ends[:, 0], low), ends[:, 0])
            high = np.where(cold, np.maximum(ends[:, 1], high), ends[:, 1])
        return found.assign(low=low, high=high).clip(0.0, HIGHEST)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast utilisation of feature rows: columns predicted, lower, upper, all within 0..1.2."""
        if rows.empty:
            return pd.DataFrame(columns=["predicted", "lower", "upper"], index=rows.index, dtype=float)
        members = self.members(rows)
        predicted = calibration.mix(members, self.blend)
        return calibration.interval(members.assign(predicted=predicted), rows["act_reports"], self.margins)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, booster in self.boosters.items():
            booster.save_model(folder / f"{name}.ubj")
        metadata = {
            "feature_schema": features.FEATURE_SCHEMA,
            "features": features.FEATURES,
            "files": {name: _checksum(folder / f"{name}.ubj") for name in self.boosters},
            "mean_utilisation": self.mean_utilisation,
            "process": self.process,
            "blend": self.blend,
            "margins": self.margins,
        }
        (folder / METADATA_FILE).write_text(json.dumps(metadata, indent=2))


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(folder: Path) -> SalesModel:
    """Read a model that save() has written.

    :raises IncompatibleModelError: when it was trained with other features
    :raises UnreadableModelError: when a file is missing or damaged
    """
    again = "take another version, or train again"
    try:
        metadata = json.loads((folder / METADATA_FILE).read_text())
        schema = metadata.pop("feature_schema")
        if schema != features.FEATURE_SCHEMA:
            raise IncompatibleModelError(
                f"{folder / METADATA_FILE} was made from feature schema {schema}, this code reads "
                f"{features.FEATURE_SCHEMA}: train it again"
            )
        if metadata.pop("features") != features.FEATURES:
            raise IncompatibleModelError(f"{folder / METADATA_FILE} names other features than ml/sales: train it again")
        boosters = {}
        for name, checksum in metadata.pop("files").items():
            if _checksum(folder / f"{name}.ubj") != checksum:
                raise UnreadableModelError(f"{folder / name}.ubj is not what training has written: {again}")
            boosters[name] = xgb.Booster()
            boosters[name].load_model(folder / f"{name}.ubj")
        return SalesModel(boosters=boosters, **metadata)
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableModelError(f"{folder} holds no readable sales model ({error}): {again}") from error


def fallback(rows: pd.DataFrame, otherwise: float) -> pd.Series:
    """The naive forecast: the act's last utilisation, else the best stand-in known."""
    return rows[FALLBACKS].bfill(axis=1).iloc[:, 0].fillna(otherwise).astype(float)


def anchor(rows: pd.DataFrame) -> pd.Series:
    """What the season should make of the act's last utilisation; the process for an act that has none."""
    known = rows["act_last_in_season"].where(rows["act_reports"].gt(0))
    return known.fillna(rows["process_mean"]).astype(float)


def fit(
    rows: pd.DataFrame,
    target: pd.Series,
    capacity: pd.Series,
    *,
    seed: int,
    rounds: int | None = None,
    process: dict[str, float] | None = None,
    settings: dict[str, Any] | None = None,
    threads: int = 2,
) -> SalesModel:
    """Train on feature rows; large houses weigh a little more, since tickets are what is counted.

    :param rounds: boosting rounds; those of the hyperparameters if not given
    :param settings: hyperparameters; those of the last search if not given
    """
    process = process or dict(gaussian.COMPONENTS)
    if len(rows) < FEWEST_ROWS:
        mean = float(target.mean()) if len(rows) else gaussian.CENTRE
        return SalesModel({}, mean, process, blend=dict(PROCESS_ALONE))
    chosen = dict(settings or hyperparameters())
    rounds = rounds or int(chosen["rounds"])
    chosen.pop("rounds")
    weight = (capacity.astype(float) / capacity.mean()) ** 0.25
    last, known = anchor(rows), rows["process_mean"].astype(float)
    labels = {
        "median": target - last,
        "mean": target - known,
        "share": target.clip(0, HIGHEST) / HIGHEST,
        "range": target - last,
    }
    boosters = {}
    for name, objective in BOOSTERS.items():
        matrix = xgb.QuantileDMatrix(rows[features.FEATURES], labels[name], weight=weight, nthread=threads)
        monotone: dict[str, Any] = (
            {} if name == "range" else {"monotone_constraints": MONOTONE_SHARE if name == "share" else MONOTONE}
        )
        options = {**chosen, **objective, **monotone, "tree_method": "hist", "seed": seed, "nthread": threads}
        if name == "share":  # its second derivative is about a tenth of the others'
            options["min_child_weight"] = chosen["min_child_weight"] / 10
        boosters[name] = xgb.train(options, matrix, rounds)
    mean = float((target * capacity).sum() / capacity.sum())
    return SalesModel(boosters, mean, process)


def calibrate(
    model: SalesModel, rows: pd.DataFrame, target: pd.Series, capacity: pd.Series | None = None
) -> SalesModel:
    """Set the blend and the width of the intervals from rows that the model has not seen."""
    members = model.members(rows)
    weights = pd.Series(1.0, index=rows.index) if capacity is None else capacity.astype(float)
    blend = calibration.blend(members, target, weights) if model.boosters else model.blend
    judged = members.assign(predicted=calibration.mix(members, blend))
    margins = calibration.margins(judged, target, rows["act_reports"])
    return SalesModel(model.boosters, model.mean_utilisation, model.process, blend, margins)
