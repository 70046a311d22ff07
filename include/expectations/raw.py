"""Expectations of what the sources delivered: one row a source and entity, see concert_etl/deliveries.py.

A delivery with other records than its manifest counts, or of which most break a rule, is refused before (check_files
and bad_files of accounts.py), so that it holds up no other.
"""

from __future__ import annotations

from typing import Any

MANY_REJECTED = 0.2  # share of a delivery's records
LOWEST_VOLUME, HIGHEST_VOLUME = 0.2, 5.0  # in relation to the median of earlier runs


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "entity"], severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="rejected_share", max_value=MANY_REJECTED, severity="warning"),
        gxe.ExpectColumnValuesToBeBetween(
            column="volume_ratio", min_value=LOWEST_VOLUME, max_value=HIGHEST_VOLUME, severity="warning"
        ),
    ]
