"""Many items into a table of DynamoDB, a request for 25 of them. No Airflow import."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

AT_ONCE = 25  # items of a BatchWriteItem
MOST_TRIES = 8  # of items that the table did not take
Item = dict[str, Any]


class BatchNotTakenError(RuntimeError):
    """A table did not take items for half a minute; those before them stay."""


def put(item: Item) -> Item:
    return {"PutRequest": {"Item": item}}


def delete(key: Item) -> Item:
    return {"DeleteRequest": {"Key": key}}


def write_batch(client: Any, table: str, requests: Iterable[Item]) -> None:
    """Make at most 25 requests, each about another key, and again those that the table does not take at once.

    :param requests: of `put` and `delete`
    :raises BatchNotTakenError: when it does not take them for half a minute
    """
    left: dict[str, Any] = {table: list(requests)}
    for attempt in range(MOST_TRIES):
        left = client.batch_write_item(RequestItems=left).get("UnprocessedItems", {})
        if not left:
            return
        time.sleep(min(0.1 * 2**attempt, 10))
    raise BatchNotTakenError(f"{table} did not take {len(left[table])} items in {MOST_TRIES} tries")
