"""Counts the interactions of the stream, each once, per artist or concert and day.

One transaction writes the event's id and adds to the aggregates, so that a batch may come twice. A record that breaks a
rule goes to the dead letter queue with its reason. At the first failure that may pass, the rest of the batch is given
back from that record on, which keeps the order of the shard.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from answers import Event, health, logger
from botocore.exceptions import BotoCoreError, ClientError
from clients import client
from interactions import Interaction, InvalidInteractionError
from metrics import emit

KEPT_IDS = timedelta(days=30)  # longer than a stream can hold a record
LONGEST_MESSAGE = 180_000  # characters of data in a dead letter; a queue takes 256 KiB

Record = dict[str, Any]


def handler(event: Event, _context: object) -> dict[str, Any]:
    if event.get("path") == "/health":
        return health(event)
    outcomes: Counter[str] = Counter()
    failures = []
    for record in event["Records"]:
        try:
            outcomes[take(record)] += 1
        except (BotoCoreError, ClientError):
            sequence_number = record["kinesis"]["sequenceNumber"]
            logger.exception("record %s failed: it and the ones after it are tried again", sequence_number)
            failures.append({"itemIdentifier": sequence_number})
            break
    emit(**{name: outcomes[name] for name in ("CountedRecords", "DuplicateRecords", "PoisonRecords")})
    return {"batchItemFailures": failures}


def take(record: Record) -> str:
    """Count one record, or bury it; returns the name of the metric that it adds to.

    :raises ClientError: when AWS did not take it and may take it later
    """
    now = datetime.now(UTC)
    try:
        interaction = Interaction.parse(decode(record), now)
    except InvalidInteractionError as error:
        bury(record, str(error))
        return "PoisonRecords"
    return "CountedRecords" if count(interaction, now) else "DuplicateRecords"


def decode(record: Record) -> Any:
    """:raises InvalidInteractionError: when the data is not JSON"""
    try:
        return json.loads(base64.b64decode(record["kinesis"]["data"]))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise InvalidInteractionError("the record is not JSON") from error


def count(interaction: Interaction, now: datetime) -> bool:
    """Add an event to its aggregates; False when it was counted before."""
    try:
        client("dynamodb").transact_write_items(TransactItems=transaction(interaction, now))
    except ClientError as error:
        reasons = error.response.get("CancellationReasons") or [{}]
        if reasons[0].get("Code") == "ConditionalCheckFailed":
            return False
        raise
    return True


def transaction(interaction: Interaction, now: datetime) -> list[dict[str, Any]]:
    """The event's id, which must be new, and one addition per subject."""
    seen = {
        "TableName": os.environ["PROCESSED_EVENT_TABLE"],
        "Item": {
            "event_id": {"S": interaction.event_id},
            "processed_at": {"S": now.isoformat()},
            "expires_at": {"N": str(int((now + KEPT_IDS).timestamp()))},
        },
        "ConditionExpression": "attribute_not_exists(event_id)",
    }
    day = interaction.occurred_at.date().isoformat()
    return [{"Put": seen}, *({"Update": addition(subject, day, interaction.type, now)}
                             for subject in interaction.subjects)]  # fmt: skip


def addition(subject: str, day: str, kind: str, now: datetime) -> dict[str, Any]:
    return {
        "TableName": os.environ["AGGREGATE_TABLE"],
        "Key": {"subject": {"S": subject}, "day": {"S": day}},
        "UpdateExpression": "SET updated_at = :now ADD interactions :one, #kind :one",
        "ExpressionAttributeNames": {"#kind": f"{kind}_count"},
        "ExpressionAttributeValues": {":now": {"S": now.isoformat()}, ":one": {"N": "1"}},
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
