"""How good forecasts are, each figure beside that of the naive forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd


def wape(actual: pd.Series, predicted: pd.Series) -> float:
    """Weighted absolute percentage error of tickets: sum of errors / sum of tickets, 0 is perfect."""
    return float(np.abs(actual - predicted).sum() / actual.sum())


def r_squared(actual: pd.Series, predicted: pd.Series) -> float:
    """Share of the variance that a forecast explains; negative when it is worse than the mean."""
    spread = float(((actual - actual.mean()) ** 2).sum())
    return float("nan") if spread == 0 else 1.0 - float(((actual - predicted) ** 2).sum()) / spread


def coverage(actual: pd.Series, lower: pd.Series, upper: pd.Series) -> float:
    """Share of outcomes inside the interval, 0..1."""
    return float(((actual >= lower) & (actual <= upper)).mean())
