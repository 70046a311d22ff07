"""Drift of inputs and of errors: what evaluation.json reports beside the decision. It warns; it decides nothing.

Inputs: population stability index (Siddiqi, Credit Risk Scorecards, 2006) of the newest period against the reference
that the model in service keeps of its training data. Above 0.25 is read as a shift; missing values are one more class.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import rel_entr

REFERENCE_FILE = "drift_reference.json"
STATISTIC = "population_stability_index"
THRESHOLD = 0.25
REFERENCE_DAYS = 1820  # of training data: what is older has drifted in every market
CLASSES = 10
FEWEST = 100  # values; of fewer the index is mostly chance
ERROR_RISE = 0.25  # of the error at calibration
LEAST_COVERAGE = 0.7  # of outcomes in an 80 % interval

Reference = dict[str, dict[str, list[float]]]


def reference(frame: pd.DataFrame) -> Reference:
    """Edges of the classes of each column, and their shares; the last share is that of missing values."""
    made = {}
    for name in frame:
        values = frame[name].to_numpy(float)
        edges = _edges(values[np.isfinite(values)])
        made[str(name)] = {"edges": edges.tolist(), "shares": _shares(values, edges).tolist()}
    return made


def _edges(known: np.ndarray) -> np.ndarray:
    """Tenths of the values; a value that a tenth of them share is a class of its own, so that less is seen as less."""
    if not len(known):
        return np.empty(0)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, CLASSES + 1)[1:-1]))
    frequent = [edge for edge in edges if (known == edge).mean() >= 1 / CLASSES]
    return np.unique(np.concatenate([edges, np.nextafter(frequent, -np.inf)]))


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    missing = ~np.isfinite(values)
    places = np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="left"))
    counts = np.bincount(places, minlength=len(edges) + 2).astype(float)
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


def load(folder: Path) -> Reference | None:
    """What a stored model keeps; None when it is missing or damaged, which only costs the comparison."""
    try:
        kept: Any = json.loads((folder / REFERENCE_FILE).read_text())
        return {
            name: {part: [float(value) for value in stored[part]] for part in ("edges", "shares")}
            for name, stored in kept.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"{REFERENCE_FILE} of the champion cannot be read ({error!r}): no drift of inputs against it")
        return None
