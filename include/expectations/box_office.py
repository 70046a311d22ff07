"""Expectations of curated box-office reports."""

from __future__ import annotations

from typing import Any


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "report_id", "venue", "country", "gross", "currency", "ingested_at", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "report_id"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="artist_id", regex="^a[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="venue_id", regex="^v[0-9a-f]{16}$", severity="critical"),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=1, severity="critical")
            for column in ("performances", "capacity", "tickets_sold")
        ),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, severity="critical")
            for column in ("gross", "average_price", "top_price")
        ),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="period_end", column_B="period_start", or_equal=True, ignore_row_if="either_value_is_missing",
            severity="critical",
        ),
        gxe.ExpectColumnValuesToBeInSet(column="period_precision", value_set=["day", "tour"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(
            column="warning", regex="^(standing_room|price_unreadable|standing_room,price_unreadable)$",
            severity="critical",
        ),
    ]  # fmt: skip
