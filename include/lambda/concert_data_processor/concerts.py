"""Who plays a concert, by the table that load_warehouse fills (streams/concert_artists.py of the plugin)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from itertools import batched
from typing import Any

from clients import client

AT_ONCE = 100  # keys of a BatchGetItem
MOST_TRIES = 4  # of keys that the table did not answer


class UnansweredError(RuntimeError):
    """The table did not say of each concert whether it knows it; it may do so later."""


def artists_of(concert_ids: Iterable[str]) -> dict[str, str]:
    """Artist of each of these concerts that the table knows; without a concert it is not asked.

    :raises UnansweredError: when the table leaves keys unanswered
    :raises ClientError: when DynamoDB does not answer
    """
    wanted = dict.fromkeys(concert_ids)
    return {
        item["concert_id"]["S"]: item["artist_id"]["S"]
        for some in batched(wanted, AT_ONCE)
        for item in _items(some)
    }  # fmt: skip


def _items(concert_ids: Iterable[str]) -> list[dict[str, Any]]:
    table = os.environ["CONCERT_ARTIST_TABLE"]
    asked: dict[str, Any] = {table: {"Keys": [{"concert_id": {"S": one}} for one in concert_ids]}}
    found: list[dict[str, Any]] = []
    for attempt in range(MOST_TRIES):
        answer = client("dynamodb").batch_get_item(RequestItems=asked)
        found += answer.get("Responses", {}).get(table, [])
        if not (asked := answer.get("UnprocessedKeys") or {}):
            return found
        time.sleep(0.1 * 2**attempt)
    raise UnansweredError(f"{table} left {len(asked[table]['Keys'])} concerts unanswered in {MOST_TRIES} tries")
