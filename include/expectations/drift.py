"""Expectations that amounts are spread as in earlier runs: one row an amount, see concert_etl/history.py."""

from __future__ import annotations

from typing import Any

FARTHEST_SHIFT = 0.5  # of a quantile, in distances between the outer quantiles of earlier runs


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    """A shift is worth a look and no reason to hold the data back."""
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="shift", max_value=FARTHEST_SHIFT, severity="warning"),
    ]
