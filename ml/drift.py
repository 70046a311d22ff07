"""Drift of inputs and of errors: what evaluation.json reports beside the decision. It warns; it decides nothing.

Inputs: population stability index (Siddiqi, Credit Risk Scorecards, 2006) of the newest period against the reference
that the model in service keeps of its training data. Above 0.25 is read as a shift; missing values are one more class.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import rel_entr

REFERENCE_FILE = "drift_reference.json"
STATISTIC = "population_stability_index"
THRESHOLD = 0.25
CLASSES = 10  # between the edges
FEWEST = 100  # values; of fewer the index is mostly chance
ERROR_RISE = 0.25  # of the error at calibration
LEAST_COVERAGE = 0.7  # of outcomes in an 80 % interval

Reference = dict[str, dict[str, list[float]]]


def reference(frame: pd.DataFrame) -> Reference:
    """Nine edges of each column at most, the shares of what lies between and on them, and at last of missing values."""
    made = {}
    for name in frame:
        values = frame[name].to_numpy(float)
        known = values[np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, CLASSES + 1)[1:-1])) if len(known) else np.empty(0)
        made[str(name)] = {"edges": edges.tolist(), "shares": _shares(values, edges).tolist()}
    return made


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    # An edge is a class of its own: where many values are the same, what lies below or above them is seen.
    places = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    last = 2 * len(edges) + 1
    counts = np.bincount(np.where(np.isfinite(values), places, last), minlength=last + 1).astype(float)
    # Half a case in every class: an empty one is unlikely, not impossible.
    return (counts + 0.5) / (counts + 0.5).sum()


def inputs(kept: Reference, newest: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry for each column of the reference; no value where the newest period is too short or lacks the column."""
    found = []
    for name, stored in kept.items():
        value = math.nan
        if name in newest and len(newest) >= FEWEST:
            before = np.asarray(stored["shares"])
            now = _shares(newest[name].to_numpy(float), np.asarray(stored["edges"]))
            value = float((rel_entr(before, now) + rel_entr(now, before)).sum())
        found.append(
            {
                "feature": name,
                "statistic": STATISTIC,
                "value": value,
                "threshold": THRESHOLD,
                "drifted": value > THRESHOLD,
            }
        )
    return found


def error(metric: str, value: float, threshold: float, *, lowest: bool = False) -> dict[str, Any]:
    """
    :param lowest: the threshold is the least that is well, not the most
    """
    drifted = value < threshold if lowest else value > threshold
    return {"metric": metric, "value": value, "threshold": threshold, "drifted": bool(drifted)}


def save(kept: Reference, folder: Path) -> None:
    (folder / REFERENCE_FILE).write_text(json.dumps(kept, indent=2))


def load(folder: Path) -> Reference:
    """
    :raises ValueError: when it is damaged, OSError when it is missing
    """
    kept: Any = json.loads((folder / REFERENCE_FILE).read_text())
    if not isinstance(kept, Mapping) or not all({"edges", "shares"} <= set(stored) for stored in kept.values()):
        raise ValueError(f"{REFERENCE_FILE} holds no classes and shares")
    return dict(kept)
