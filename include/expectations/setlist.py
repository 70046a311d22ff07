"""Expectations of curated setlists; a row is a song."""

from __future__ import annotations

from typing import Any


def expectations(gxe: Any, *, rows: int, records: int) -> list[Any]:
    return [
        gxe.ExpectTableRowCountToEqual(value=rows, severity="critical"),
        gxe.ExpectTableRowCountToBeBetween(min_value=1 if records else 0, severity="warning"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity="critical")
            for column in ("source", "setlist_id", "song_position", "source_artist_id", "artist_id", "artist",
                           "event_date", "ingested_at", "run_id")
        ),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["source", "setlist_id", "song_position"], severity="critical"
        ),
        gxe.ExpectColumnValuesToBeBetween(column="song_position", min_value=0, severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="artist_id", regex="^a[0-9a-f]{16}$", severity="critical"),
        gxe.ExpectColumnValuesToMatchRegex(column="venue_id", regex="^v[0-9a-f]{16}$", severity="critical"),
        # A song may be unknown and a setlist empty; when most are, the source has changed its form.
        gxe.ExpectColumnValuesToNotBeNull(column="song", mostly=0.5, severity="warning"),
    ]  # fmt: skip
