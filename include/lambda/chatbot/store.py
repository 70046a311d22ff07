"""The chatbot's tables: sessions, the messages of each, and what users asked to be remembered.

A session is open while its user writes. Only open ones carry `open_marker`, so that the index `open-sessions` holds no
others; in it they lie by their last message.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from clients import client

KEPT = timedelta(days=90)  # sessions and messages, after the last message
INDEX = "open-sessions"


class ForeignSessionError(LookupError):
    """The session belongs to somebody else."""


class BusySessionError(Exception):
    """Another message of the session is being kept at this moment."""


def add_exchange(user_id: str, session_id: str, message: str, reply: str, now: datetime) -> None:
    """Keep a message and its answer, and open the session or keep it open.

    :raises ForeignSessionError: when another user began it
    :raises BusySessionError: when another message came between; nothing was kept
    """
    session = {
        "TableName": os.environ["SESSION_TABLE"],
        "Key": {"session_id": {"S": session_id}},
        "ConditionExpression": "attribute_not_exists(session_id) OR user_id = :user",
        "UpdateExpression": (
            "SET user_id = :user, open_marker = :open, last_message_at = :now, expires_at = :expires, "
            "opened_at = if_not_exists(opened_at, :now) REMOVE closed_at ADD messages :two"
        ),
        "ExpressionAttributeValues": {
            ":user": {"S": user_id}, ":open": {"S": "open"}, ":now": {"S": now.isoformat()},
            ":expires": {"N": _expiry(now)}, ":two": {"N": "2"},
        },
    }  # fmt: skip
    lines = [_line(session_id, number, role, text, now)
             for number, (role, text) in enumerate([("user", message), ("chatbot", reply)])]  # fmt: skip
    try:
        client("dynamodb").transact_write_items(TransactItems=[{"Update": session}, *({"Put": line} for line in lines)])
    except ClientError as error:
        reasons = error.response.get("CancellationReasons") or [{}]
        if reasons[0].get("Code") == "ConditionalCheckFailed":
            raise ForeignSessionError(session_id) from error
        if "TransactionConflict" in (reason.get("Code") for reason in reasons):
            raise BusySessionError(session_id) from error
        raise


def _line(session_id: str, number: int, role: str, text: str, now: datetime) -> dict[str, Any]:
    return {
        "TableName": os.environ["CONVERSATION_TABLE"],
        "Item": {
            "session_id": {"S": session_id}, "message_key": {"S": f"{now.isoformat()}#{number}"},
            "author": {"S": role}, "message": {"S": text}, "expires_at": {"N": _expiry(now)},
        },
    }  # fmt: skip


def _expiry(now: datetime) -> str:
    return str(int((now + KEPT).timestamp()))


# ---------------------------------------------------------------- preferences


def preferences(user_id: str) -> dict[str, str]:
    found = client("dynamodb").query(
        TableName=os.environ["PREFERENCE_TABLE"],
        KeyConditionExpression="user_id = :user",
        ExpressionAttributeValues={":user": {"S": user_id}},
    )
    return {item["topic"]["S"]: item["preferred"]["S"] for item in found["Items"]}


def remember(user_id: str, topic: str, preferred: str, now: datetime) -> None:
    item = {"user_id": user_id, "topic": topic, "preferred": preferred, "updated_at": now.isoformat()}
    client("dynamodb").put_item(
        TableName=os.environ["PREFERENCE_TABLE"], Item={name: {"S": value} for name, value in item.items()}
    )


def forget(user_id: str, topic: str) -> None:
    client("dynamodb").delete_item(
        TableName=os.environ["PREFERENCE_TABLE"], Key={"user_id": {"S": user_id}, "topic": {"S": topic}}
    )


# ---------------------------------------------------------------- maintenance


def close_idle_sessions(now: datetime, idle: timedelta) -> int:
    """Close the sessions without a message for a while; returns how many."""
    closed = 0
    for item in _open_sessions(before=(now - idle).isoformat()):
        closed += _close(item["session_id"]["S"], item["last_message_at"]["S"], now)
    return closed


def _close(session_id: str, last_message_at: str, now: datetime) -> bool:
    """False when a message came in the meantime: the session stays open."""
    try:
        client("dynamodb").update_item(
            TableName=os.environ["SESSION_TABLE"],
            Key={"session_id": {"S": session_id}},
            ConditionExpression="open_marker = :open AND last_message_at = :last",
            UpdateExpression="SET closed_at = :now REMOVE open_marker",
            ExpressionAttributeValues={
                ":open": {"S": "open"}, ":last": {"S": last_message_at}, ":now": {"S": now.isoformat()},
            },
        )  # fmt: skip
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def count_open_sessions() -> int:
    pages = client("dynamodb").get_paginator("query").paginate(
        TableName=os.environ["SESSION_TABLE"], IndexName=INDEX, Select="COUNT",
        KeyConditionExpression="open_marker = :open", ExpressionAttributeValues={":open": {"S": "open"}},
    )  # fmt: skip
    return sum(page["Count"] for page in pages)


def _open_sessions(before: str) -> Iterator[dict[str, Any]]:
    pages = client("dynamodb").get_paginator("query").paginate(
        TableName=os.environ["SESSION_TABLE"], IndexName=INDEX,
        KeyConditionExpression="open_marker = :open AND last_message_at < :before",
        ExpressionAttributeValues={":open": {"S": "open"}, ":before": {"S": before}},
    )  # fmt: skip
    for page in pages:
        yield from page["Items"]
