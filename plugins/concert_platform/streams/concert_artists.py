"""Tells the stream's function who plays a concert: what load_warehouse brings goes into a table of DynamoDB.

An event of the stream that names a concert and no artist counts for the artist as well, once the table knows it. One
item a concert: concert_id, artist_id as core.fact_event has it, expires_at. A row that has lost its artist takes the
item away; one that a run withdraws stays in the table until it expires.

What was published is known by core's loaded_at: the ingest-state table (source `_concert_artists`) keeps the newest
that is in the table, so that a publication that failed is made up for by the next one. The rows of the run's own
partitions are written in any case: of two loads side by side, the one that commits later may have begun earlier. The
watermark may be lost: the next publication then writes every concert of the period anew. No Airflow import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import batched
from typing import Any

from concert_platform.batch_writes import AT_ONCE, Item, delete, put, write_batch
from concert_platform.settings import settings
from concert_platform.sources.changes import KEPT_AFTER_EVENT, KEPT_WITHOUT_DAY
from concert_platform.sources.state import IngestState, expiry
from concert_platform.warehouse import query, render

FILE = "load/concert_artists.sql"
WATERMARK = {"source": "_concert_artists", "item": "watermark"}
NEVER = "1970-01-01T00:00:00+00:00"


class TableMissingError(RuntimeError):
    """The stack with the table is not deployed."""


def publish(
    loads: Sequence[Mapping[str, Any]], today: date, *, state: IngestState | None = None, client: Any = None
) -> int:
    """Write the concerts that the loads have brought, and those that an earlier publication has left; their number.

    May be repeated: the same rows make the same items.

    :param loads: as `loads_of` gives them, at least one; the last one's day decides which concerts are over
    :param today: day of the publication
    :raises TableMissingError: when there is no table
    :raises BatchNotTakenError: when it does not take items for half a minute
    """
    if client is None:
        import boto3

        client = boto3.client("dynamodb")
    state = state or IngestState()
    since = next((row["loaded_at"] for row in state.rows(WATERMARK["source"])), NEVER)
    oldest = date.fromisoformat(loads[-1]["dt"]) - KEPT_AFTER_EVENT
    (statement,) = render([FILE], run_ids=[load["run_id"] for load in loads], since=since, oldest=oldest)
    rows = query(statement)
    for block in batched(rows, AT_ONCE):
        _write(client, [_request(concert, artist, day, today) for concert, artist, day, _ in block])
    if rows:
        newest = max(datetime.fromisoformat(since), *(loaded_at for *_, loaded_at in rows))
        state.put_if({**WATERMARK, "loaded_at": newest.isoformat()})
    return len(rows)


def _request(concert: str, artist: str | None, day: date | None, today: date) -> Item:
    key = {"concert_id": {"S": concert}}
    if artist is None:
        return delete(key)
    # As long as its changes are announced: 90 days after its day, or after the publication of what is over already.
    kept = KEPT_WITHOUT_DAY if day is None else KEPT_AFTER_EVENT
    expires = expiry(max(day or today, today).isoformat(), kept)
    return put({**key, "artist_id": {"S": artist}, "expires_at": {"N": str(expires)}})


def _write(client: Any, requests: list[Item]) -> None:
    table = settings().concert_artist_table
    try:
        write_batch(client, table, requests)
    except client.exceptions.ResourceNotFoundException as error:
        raise TableMissingError(
            f"{table} does not exist: deploy_infrastructure creates it with compute-application, and the next load "
            "publishes what this one could not"
        ) from error
