"""Expectations of curated events."""

from __future__ import annotations

from typing import Any

STATUSES = ("onsale", "offsale", "cancelled", "canceled", "postponed", "rescheduled")


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "event_id", "name", "artist", "event_date", "ingested_at", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "event_id"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="artist_id", regex="^a[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="venue_id", regex="^v[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="price_min", min_value=0, severity="critical"),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="price_max", column_B="price_min", or_equal=True, ignore_row_if="either_value_is_missing",
            severity="critical",
        ),
        # The API may learn a new word; that is worth a look and no reason to hold the data back.
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=list(STATUSES), severity="warning"),
    ]  # fmt: skip
