"""Expectations of the matches of artists and venues."""

from __future__ import annotations

from typing import Any


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("entity", "source", "source_id", "name", "matched_id", "matched_name", "rule", "score",
                           "status", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["entity", "source", "source_id"], severity="critical"),
        gxe.ExpectColumnValuesToBeInSet(column="entity", value_set=["artist", "venue"], severity="critical"),
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=["matched", "review"], severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="score", min_value=0, max_value=1, severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="matched_id", regex="^[av][0-9a-f]{16}$", severity="critical"),
        # Names that many records are doubtful about say that a source or a rule has changed.
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=["matched"], mostly=0.8, severity="warning"),
    ]  # fmt: skip
