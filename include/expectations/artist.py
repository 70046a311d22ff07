"""Expectations of curated artists."""

from __future__ import annotations

from typing import Any

MUSICBRAINZ_ID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "source_artist_id", "artist_id", "name", "ingested_at", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "source_artist_id"], severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="artist_id", regex="^a[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="popularity", min_value=0, max_value=100, severity="critical"),
        gxe.ExpectColumnValuesToBeBetween(column="followers", min_value=0, severity="critical"),
        # An id of another form is of no use to match by, and no reason to hold the artist back.
        gxe.ExpectColumnValuesToMatchRegex(column="musicbrainz_id", regex=MUSICBRAINZ_ID, severity="warning"),
        gxe.ExpectColumnValuesToMatchRegex(column="spotify_id", regex="^[0-9A-Za-z]{22}$", severity="warning"),
    ]
