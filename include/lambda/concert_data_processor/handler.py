"""Counts the interactions of the stream, each once, per artist or concert and day.

One transaction writes the event's id and adds to the aggregates, so that a batch may come twice. A record that breaks a
rule, or that the tables refuse for good, goes to the dead letter queue with its reason. At the first failure that may
pass, the rest of the batch is given back from that record on, which keeps the order of the shard.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from answers import Event, health, load_json, logger
from botocore.exceptions import BotoCoreError, ClientError
from clients import client
from interactions import LONGEST_DELAY, LONGEST_LEAD, LONGEST_RETENTION, Interaction, InvalidInteractionError
from metrics import emit

# An event may be sent again as long as it is taken, and then be read again as long as the stream holds it.
KEPT_IDS = LONGEST_DELAY + LONGEST_RETENTION + timedelta(days=1)
LONGEST_MESSAGE = 180_000  # characters of data in a dead letter; a queue takes 256 KiB

# Reasons of a cancelled transaction that no retry will mend: an item at its 400 KB, a value that no table takes.
PERMANENT = ("ItemCollectionSizeLimitExceeded", "ValidationError")

Record = dict[str, Any]


class RefusedRecordError(ValueError):
    """The tables will never take the record; the message says why."""


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
    arrived = datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC)
    try:
        interaction = Interaction.parse(decode(record), arrived, tolerance=LONGEST_LEAD)
        return "CountedRecords" if count(interaction, datetime.now(UTC)) else "DuplicateRecords"
    except (InvalidInteractionError, RefusedRecordError) as error:
        bury(record, str(error))
        return "PoisonRecords"


def decode(record: Record) -> Any:
    """:raises InvalidInteractionError: when the data is not JSON"""
    try:
        return load_json(base64.b64decode(record["kinesis"]["data"]))
    except ValueError as error:
        raise InvalidInteractionError("the record is not JSON") from error


def count(interaction: Interaction, now: datetime) -> bool:
    """Add an event to its aggregates; False when it was counted before.

    :raises RefusedRecordError: when no retry will mend what DynamoDB refused
    """
    try:
        client("dynamodb").transact_write_items(TransactItems=transaction(interaction, now))
    except ClientError as error:
        reasons = error.response.get("CancellationReasons") or [{}]
        if reasons[0].get("Code") == "ConditionalCheckFailed":
            return False
        if reason := permanent(error, reasons):
            raise RefusedRecordError(reason) from error
        raise
    return True


def permanent(error: ClientError, reasons: list[dict[str, Any]]) -> str | None:
    """Why DynamoDB will never take the record; None when it may take it later."""
    if error.response["Error"]["Code"] == "ValidationException":
        return f"DynamoDB refuses the record: {error.response['Error'].get('Message')}"
    found = next((reason for reason in reasons if reason.get("Code") in PERMANENT), None)
    return found and f"DynamoDB refuses the record: {found['Code']}: {found.get('Message')}"


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
    day = interaction.occurred_at.date()
    return [{"Put": seen}, *({"Update": addition(subject, day, interaction.type, now)}
                             for subject in interaction.subjects)]  # fmt: skip


def addition(subject: str, day: date, kind: str, now: datetime) -> dict[str, Any]:
    expires = datetime.combine(day, time(tzinfo=UTC)) + timedelta(days=int(os.environ["AGGREGATE_DAYS"]))
    return {
        "TableName": os.environ["AGGREGATE_TABLE"],
        "Key": {"subject": {"S": subject}, "day": {"S": day.isoformat()}},
        "UpdateExpression": "SET updated_at = :now, expires_at = :expires ADD interactions :one, #kind :one",
        "ExpressionAttributeNames": {"#kind": f"{kind}_count"},
        "ExpressionAttributeValues": {
            ":now": {"S": now.isoformat()}, ":expires": {"N": str(int(expires.timestamp()))}, ":one": {"N": "1"},
        },
    }  # fmt: skip


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
