"""What drives a forecast: SHAP values that the boosters compute themselves, blended as it is, in shares of capacity.

Reference: Lundberg et al., From local explanations to global understanding with explainable AI for trees, Nature
Machine Intelligence 2020.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xgboost as xgb

from ml.sales import features, model

MOST = 5  # drivers named of a forecast


def contributions(trained: model.SalesModel, rows: pd.DataFrame) -> pd.DataFrame:
    """By how much each feature moves the forecast, in shares of capacity; a row sums to the blend before it is cut off.

    The share booster works in log-odds: its values are scaled so that they add up to its own forecast. Beside the
    features stand `bias`, and `anchor`, where the boosters start from: the act's last utilisation and the process.
    """
    total = pd.DataFrame(0.0, index=rows.index, columns=[*features.FEATURES, "bias", "anchor"])
    process = rows["process_mean"].to_numpy(float)
    total["anchor"] += trained.blend.get("process", 0.0) * process
    if not trained.boosters:
        return total
    matrix = xgb.DMatrix(rows[features.FEATURES])
    names = [*features.FEATURES, "bias"]
    for name, start in (("median", model.anchor(rows).to_numpy()), ("mean", process)):
        weight = trained.blend.get(name, 0.0)
        total["anchor"] += weight * start
        total[names] += weight * trained.boosters[name].predict(matrix, pred_contribs=True)
    logs = trained.boosters["share"].predict(matrix, pred_contribs=True).astype(float)
    bias, moved = logs[:, -1], logs[:, :-1].sum(axis=1)
    usual, forecast = (model.HIGHEST / (1 + np.exp(-value)) for value in (bias, bias + moved))
    slope = np.where(np.abs(moved) > 1e-9, (forecast - usual) / np.where(moved == 0, 1, moved), 0.0)
    weight = trained.blend.get("share", 0.0)
    total[features.FEATURES] += weight * logs[:, :-1] * slope[:, None]
    total["bias"] += weight * usual
    return total


def explain(trained: model.SalesModel, rows: pd.DataFrame) -> list[list[dict[str, object]]]:
    """The strongest drivers of each forecast: feature, its value, and what it adds to utilisation."""
    moved = contributions(trained, rows)[features.FEATURES].to_numpy()
    values = rows[features.FEATURES].to_numpy(float)
    strongest = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :MOST]
    return [
        [
            {
                "feature": features.FEATURES[column],
                "value": None if np.isnan(values[row, column]) else round(float(values[row, column]), 4),
                "effect": round(float(moved[row, column]), 4),
            }
            for column in columns
            if moved[row, column]
        ]
        for row, columns in enumerate(strongest)
    ]
