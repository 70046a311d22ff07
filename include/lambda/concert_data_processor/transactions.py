"""Counts events in one transaction: their ids, which must be new, and one addition per subject and day."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from botocore.exceptions import ClientError
from clients import client
from interactions import LONGEST_DELAY, LONGEST_RETENTION
from stream_events import CHANGE_TYPES, StreamEvent

# An event may be sent again as long as it is taken, and then be read again as long as the stream holds it.
KEPT_IDS = LONGEST_DELAY + LONGEST_RETENTION + timedelta(days=1)
LARGEST_TRANSACTION = 100  # items, DynamoDB's limit

# Reasons of a cancelled transaction that no retry will mend: an item at its 400 KB, a value that no table takes.
PERMANENT = ("ItemCollectionSizeLimitExceeded", "ValidationError")

Key = tuple[str, ...]  # of an item: the id of an event, or subject and day of an aggregate


class RefusedItemsError(ValueError):
    """DynamoDB will never take the transaction; the message says why, `keys` which items it may be about."""

    def __init__(self, reason: str, keys: set[Key]) -> None:
        super().__init__(f"DynamoDB refuses the record: {reason}")
        self.keys = keys


def keys_of(event: StreamEvent) -> set[Key]:
    """The items that counting an event writes."""
    return {(event.event_id,), *event.places}


def count(events: list[StreamEvent], now: datetime) -> int:
    """Add events to their aggregates; how many of them had not been counted before.

    :raises RefusedItemsError: when no retry will mend what DynamoDB refused
    :raises ClientError: when DynamoDB may take the events later
    """
    left: dict[str, StreamEvent] = {}
    for event in events:
        left.setdefault(event.event_id, event)
    while left:
        items = transaction(left, now)
        try:
            client("dynamodb").transact_write_items(TransactItems=list(items.values()))
            break
        except ClientError as error:
            codes = [reason.get("Code") for reason in reasons_of(error)]
            known = [one for one, code in zip(left, codes, strict=False) if code == "ConditionalCheckFailed"]
            if known:
                left = {event_id: event for event_id, event in left.items() if event_id not in known}
                continue
            if refused := refusal(error, list(items)):
                raise refused from error
            raise
    return len(left)


def reasons_of(error: ClientError) -> list[dict[str, Any]]:
    """One per item of the cancelled transaction, in their order; none when it did not get as far."""
    return error.response.get("CancellationReasons") or []


def refusal(error: ClientError, keys: list[Key]) -> RefusedItemsError | None:
    """Why DynamoDB will never take these items; None when it may take them later."""
    if error.response["Error"]["Code"] == "ValidationException":  # does not say which item it is about
        return RefusedItemsError(error.response["Error"].get("Message", ""), set(keys))
    found = {key: why for key, why in zip(keys, reasons_of(error), strict=False) if why.get("Code") in PERMANENT}
    for why in found.values():
        return RefusedItemsError(f"{why['Code']}: {why.get('Message')}", set(found))
    return None


def transaction(events: dict[str, StreamEvent], now: datetime) -> dict[Key, dict[str, Any]]:
    """The writes by the key of their item, the ids of the events first."""
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for event in events.values():
        for place in event.places:
            kinds.setdefault(place, Counter())[event.type] += 1
    return {
        **{(event_id,): {"Put": memory(event_id, now)} for event_id in events},
        **{place: {"Update": addition(*place, added, now)} for place, added in kinds.items()},
    }


def memory(event_id: str, now: datetime) -> dict[str, Any]:
    return {
        "TableName": os.environ["PROCESSED_EVENT_TABLE"],
        "Item": {
            "event_id": {"S": event_id},
            "processed_at": {"S": now.isoformat()},
            "expires_at": {"N": str(int((now + KEPT_IDS).timestamp()))},
        },
        "ConditionExpression": "attribute_not_exists(event_id)",
    }


def addition(subject: str, day: str, kinds: Counter[str], now: datetime) -> dict[str, Any]:
    midnight = datetime.combine(date.fromisoformat(day), time(tzinfo=UTC))
    expires = midnight + timedelta(days=int(os.environ["AGGREGATE_DAYS"]))
    # A change of a concert is no interaction with it: they have a sum each.
    changes = sum(number for kind, number in kinds.items() if kind in CHANGE_TYPES)
    sums = {"interactions :all": kinds.total() - changes, "changes :changes": changes}
    additions = [one for one, number in sums.items() if number] + [f"#{index} :{index}" for index in range(len(kinds))]
    return {
        "TableName": os.environ["AGGREGATE_TABLE"],
        "Key": {"subject": {"S": subject}, "day": {"S": day}},
        "UpdateExpression": f"SET updated_at = :now, expires_at = :expires ADD {', '.join(additions)}",
        "ExpressionAttributeNames": {f"#{index}": f"{kind}_count" for index, kind in enumerate(kinds)},
        "ExpressionAttributeValues": {
            ":now": {"S": now.isoformat()},
            ":expires": {"N": str(int(expires.timestamp()))},
            **{one.split()[1]: {"N": str(number)} for one, number in sums.items() if number},
            **{f":{index}": {"N": str(number)} for index, number in enumerate(kinds.values())},
        },
    }
