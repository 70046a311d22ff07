"""Expectations of curated interactions."""

from __future__ import annotations

from typing import Any


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "user_id", "source_artist_id", "artist", "weight", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "user_id", "source_artist_id"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="artist_id", regex="^a[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="weight", min_value=0, strict_min=True, severity="critical"),
    ]
