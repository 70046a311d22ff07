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

    Where the boosters start from, the process and the act's last utilisation in season, counts as what these features
    add to the usual utilisation. The share booster works in log-odds: its values are scaled so that they add up to its
    own forecast.
    """
    total = pd.DataFrame(0.0, index=rows.index, columns=[*features.FEATURES, "bias"])
    process = rows["process_mean"].to_numpy(float)
    warm = rows["act_reports"].to_numpy() > 0
    starts = {"process": process, "mean": process, "median": model.anchor(rows).to_numpy()}
    for name, start in starts.items():
        weight = trained.blend.get(name, 0.0)
        total["bias"] += weight * trained.mean_utilisation
        added = weight * (start - trained.mean_utilisation)
        by_last = warm & (name == "median")
        total["act_last_in_season"] += np.where(by_last, added, 0.0)
        total["process_mean"] += np.where(by_last, 0.0, added)
    if not trained.boosters:
        return total
    matrix = xgb.DMatrix(rows[features.FEATURES])
    names = [*features.FEATURES, "bias"]
    for name in ("median", "mean"):
        total[names] += trained.blend.get(name, 0.0) * trained.boosters[name].predict(matrix, pred_contribs=True)
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
