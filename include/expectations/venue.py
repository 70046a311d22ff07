"""Expectations of curated venues."""

from __future__ import annotations

from typing import Any


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "source_venue_id", "venue_id", "name", "ingested_at", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "source_venue_id"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="venue_id", regex="^v[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="latitude", min_value=-90, max_value=90, severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="longitude", min_value=-180, max_value=180, severity="critical"),
        # A country that countries.py does not know keeps its name.
        gxe.ExpectColumnValuesToMatchRegex(column="country", regex="^[A-Z]{2}$", severity="warning"),
    ]
