"""Counts the interactions of the stream, each once, per artist or concert and day.

One transaction writes the ids of many events and adds to their aggregates, so that a batch may come twice. A record
that breaks a rule goes to the dead letter queue with its reason. At the first failure that may pass, the rest of the
batch is given back from the first record of its transaction on, which keeps the order of the shard.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from answers import Event, health, logger
from botocore.exceptions import BotoCoreError, ClientError
from clients import client
from interactions import Interaction, InvalidInteractionError
from metrics import emit

KEPT_IDS = timedelta(days=30)  # longer than a stream can hold a record
LONGEST_MESSAGE = 180_000  # characters of data in a dead letter; a queue takes 256 KiB

LARGEST_TRANSACTION = 100  # items, DynamoDB's limit

Record = dict[str, Any]
Group = list[Interaction] | InvalidInteractionError


def handler(event: Event, _context: object) -> dict[str, Any]:
    if event.get("path") == "/health":
        return health(event)
    now = datetime.now(UTC)
    outcomes: Counter[str] = Counter()
    failures = []
    for records, group in groups(event["Records"], now):
        try:
            outcomes.update(take(records[0], group, now))
        except (BotoCoreError, ClientError):
            sequence_number = records[0]["kinesis"]["sequenceNumber"]
            logger.exception("record %s failed: it and the ones after it are tried again", sequence_number)
            failures.append({"itemIdentifier": sequence_number})
            break
    emit(**{name: outcomes[name] for name in ("CountedRecords", "DuplicateRecords", "PoisonRecords")})
    return {"batchItemFailures": failures}


def groups(records: list[Record], now: datetime) -> Iterator[tuple[list[Record], Group]]:
    """Records that one transaction takes, in order; one that breaks a rule is alone, with the error."""
    taken: list[Record] = []
    group: list[Interaction] = []
    items: set[tuple[str, ...]] = set()
    for record in records:
        try:
            found = Interaction.parse(decode(record), now)
        except InvalidInteractionError as error:
            if taken:
                yield taken, group
            yield [record], error
            taken, group, items = [], [], set()
            continue
        added = {(found.event_id,), *found.places}
        if len(items | added) > LARGEST_TRANSACTION:
            yield taken, group
            taken, group, items = [], [], set()
        taken, group, items = [*taken, record], [*group, found], items | added
    if taken:
        yield taken, group


def take(first: Record, group: Group, now: datetime) -> dict[str, int]:
    """Count a group, or bury its only record; returns what it adds to which metric.

    :raises ClientError: when AWS did not take it and may take it later
    """
    if isinstance(group, InvalidInteractionError):
        bury(first, str(group))
        return {"PoisonRecords": 1}
    counted = count(group, now)
    return {"CountedRecords": counted, "DuplicateRecords": len(group) - counted}


def decode(record: Record) -> Any:
    """:raises InvalidInteractionError: when the data is not JSON"""
    try:
        return json.loads(base64.b64decode(record["kinesis"]["data"]))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInteractionError("the record is not JSON") from error


def count(group: list[Interaction], now: datetime) -> int:
    """Add events to their aggregates; how many of them had not been counted before."""
    left = {interaction.event_id: interaction for interaction in group}
    while left:
        try:
            client("dynamodb").transact_write_items(TransactItems=transaction(list(left.values()), now))
            break
        except ClientError as error:
            reasons = [reason.get("Code") for reason in error.response.get("CancellationReasons") or []]
            known = [one for one, reason in zip(left, reasons, strict=False) if reason == "ConditionalCheckFailed"]
            if not known:
                raise
            left = {event_id: one for event_id, one in left.items() if event_id not in known}
    return len(left)


def transaction(group: list[Interaction], now: datetime) -> list[dict[str, Any]]:
    """The events' ids, which must be new, and one addition per subject and day."""
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for interaction in group:
        for place in interaction.places:
            kinds.setdefault(place, Counter())[interaction.type] += 1
    return [
        *({"Put": memory(interaction.event_id, now)} for interaction in group),
        *({"Update": addition(*place, added, now)} for place, added in kinds.items()),
    ]


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
    values = {f":{index}": {"N": str(number)} for index, number in enumerate(kinds.values())}
    additions = ", ".join(f"#{index} :{index}" for index in range(len(kinds)))
    return {
        "TableName": os.environ["AGGREGATE_TABLE"],
        "Key": {"subject": {"S": subject}, "day": {"S": day}},
        "UpdateExpression": f"SET updated_at = :now ADD interactions :all, {additions}",
        "ExpressionAttributeNames": {f"#{index}": f"{kind}_count" for index, kind in enumerate(kinds)},
        "ExpressionAttributeValues": {":now": {"S": now.isoformat()}, ":all": {"N": str(kinds.total())}, **values},
    }


def bury(record: Record, reason: str) -> None:
    """Send a record that no retry will mend to the dead letter queue, with what finds it in the stream."""
    kinesis = record["kinesis"]
    letter = {
        "reason": reason,
        "stream": record["eventSourceARN"],
        "shard": record["eventID"].partition(":")[0],
        "sequence_number": kinesis["sequenceNumber"],
        "partition_key": kinesis["partitionKey"],
        "data": kinesis["data"][:LONGEST_MESSAGE],  # base64, as it came
        "is_complete": len(kinesis["data"]) <= LONGEST_MESSAGE,
    }
    client("sqs").send_message(
        QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"],
        MessageBody=json.dumps(letter),
        MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
    )
    logger.warning("record %s went to the dead letter queue: %s", kinesis["sequenceNumber"], reason)
