"""The sales model: gradient boosting on what utilisation adds to the last one known, with conformal intervals."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from ml.sales import features

MODEL_FILE = "model.ubj"
METADATA_FILE = "metadata.json"
HIGHEST = 1.2  # of capacity: standing room has its limits
COVERAGE = 0.8

# Best first: what stands in for the last utilisation of an act that has none.
FALLBACKS = ["act_last", "venue_mean_13", "city_mean_13", "market_mean_13"]

DEFAULTS = {
    "objective": "reg:absoluteerror",
    "max_depth": 6,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "min_child_weight": 5,
    "tree_method": "hist",
    "base_score": 0.0,
}


class IncompatibleModelError(ValueError):
    """A stored model was trained with other features than this code computes."""


@dataclass(frozen=True)
class SalesModel:
    """A trained booster with all that a forecast needs beside it.

    :param mean_utilisation: of the training data, for a target without any history at all
    :param margins: half width of the 80 % interval in utilisation, by how well an act is known (cold, warm)
    """

    booster: xgb.Booster
    mean_utilisation: float
    margins: dict[str, float] = field(default_factory=dict)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast utilisation of feature rows: columns predicted, lower, upper, all within 0..1.2."""
        base = fallback(rows, self.mean_utilisation)
        matrix = xgb.DMatrix(rows[features.FEATURES], base_margin=base)
        predicted = np.clip(self.booster.predict(matrix), 0.0, HIGHEST)
        margin = rows["act_reports"].gt(0).map({True: self.margins["warm"], False: self.margins["cold"]}).to_numpy()
        return pd.DataFrame(
            {
                "predicted": predicted,
                "lower": np.clip(predicted - margin, 0.0, HIGHEST),
                "upper": np.clip(predicted + margin, 0.0, HIGHEST),
            },
            index=rows.index,
        )

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.booster.save_model(folder / MODEL_FILE)
        metadata = {**asdict(self), "features": features.FEATURES}
        del metadata["booster"]
        (folder / METADATA_FILE).write_text(json.dumps(metadata, indent=2))


def load(folder: Path) -> SalesModel:
    """Read a model that save() has written.

    :raises IncompatibleModelError: when it was trained with other features
    """
    metadata = json.loads((folder / METADATA_FILE).read_text())
    if metadata.pop("features") != features.FEATURES:
        raise IncompatibleModelError(f"{folder / METADATA_FILE} names other features than ml/sales: train it again")
    booster = xgb.Booster()
    booster.load_model(folder / MODEL_FILE)
    return SalesModel(booster=booster, **metadata)


def fallback(rows: pd.DataFrame, otherwise: float) -> pd.Series:
    """The naive forecast: the act's last utilisation, else the best stand-in known."""
    return rows[FALLBACKS].bfill(axis=1).iloc[:, 0].fillna(otherwise).astype(float)


def fit(rows: pd.DataFrame, target: pd.Series, capacity: pd.Series, *, seed: int, rounds: int) -> SalesModel:
    """Train on feature rows; large houses weigh more, since tickets are what is counted."""
    mean = float((target * capacity).sum() / capacity.sum())
    weight = np.sqrt(capacity.astype(float))
    matrix = xgb.DMatrix(rows[features.FEATURES], target, base_margin=fallback(rows, mean), weight=weight)
    booster = xgb.train({**DEFAULTS, "seed": seed, "nthread": 2}, matrix, rounds)
    return SalesModel(booster=booster, mean_utilisation=mean, margins={"warm": 0.0, "cold": 0.0})


def calibrate(model: SalesModel, rows: pd.DataFrame, target: pd.Series) -> SalesModel:
    """Set the interval's width from errors on rows that the model has not seen (split conformal prediction).

    Reference: Lei et al., Distribution-Free Predictive Inference for Regression, JASA 2018.
    """
    errors = (target - model.predict(rows)["predicted"]).abs()
    is_warm = rows["act_reports"].gt(0)
    warm = _conformal_quantile(errors[is_warm])
    cold = max(_conformal_quantile(errors[~is_warm]) if (~is_warm).any() else 0.0, warm)
    return SalesModel(model.booster, model.mean_utilisation, {"warm": warm, "cold": cold})


def _conformal_quantile(errors: pd.Series) -> float:
    if errors.empty:
        return HIGHEST
    rank = min(1.0, np.ceil((len(errors) + 1) * COVERAGE) / len(errors))
    return float(np.quantile(errors, rank, method="higher"))
