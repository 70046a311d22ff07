"""Send the dead letters of the stream's function back through the stream, once what they failed for is mended.

A letter is deleted only after the stream has taken its record; a kill in between sends it again, and it counts once.
What is still broken comes back as a new letter. The record of a letter that holds a part of it only is read from the
raw bucket. A letter whose record is not there, whose event the function would refuse for its age, or that is none of
the function's, stays in the queue and is named. No Airflow import.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from concert_platform.settings import settings
from concert_platform.streams.kinesis import KinesisProducer, interactions_producer
from concert_platform.streams.records import StreamRecord

HIDDEN = 300  # seconds for which a letter that was received is not received again: longer than a batch takes
LETTERS = 10  # of one ReceiveMessage, its most
LONGEST_DELAY = timedelta(days=7)  # the function refuses an event that is older when it arrives
log = logging.getLogger(__name__)


@dataclass
class Redrive:
    """:param kept: why each letter that stays in the queue stays, by its place in the stream or its message id"""

    sent: int = 0
    kept: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        kept = "".join(f"; {name} is kept: {reason}" for name, reason in self.kept.items())
        return f"{self.sent} dead letters went back through the stream{kept}"


def redrive(
    *,
    sqs: Any = None,
    s3: Any = None,
    producer: KinesisProducer | None = None,
    now: Callable[[], float] = time.time,
) -> Redrive:
    """Redrive the letters that the queue has now; those that come back meanwhile wait for the next time.

    :raises StreamError: when the stream does not take a record; its letter and the others stay in the queue
    """
    if sqs is None:
        import boto3

        sqs, s3 = boto3.client("sqs"), boto3.client("s3")
    producer = producer or interactions_producer(with_spill=False)
    url = sqs.get_queue_url(QueueName=settings().dead_letter_queue)["QueueUrl"]
    outcome, started = Redrive(), now()
    for message in _letters(sqs, url, started):
        name, record, reason = _read(message, datetime.fromtimestamp(started, UTC), s3)
        if record is None:
            outcome.kept[name] = reason
            log.warning("letter %s is kept: %s", name, reason)
            continue
        report = producer.send([record])
        if report.refused:
            outcome.kept[name] = report.refused[0].reason
            continue
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        outcome.sent += 1
    return outcome


def _letters(sqs: Any, url: str, started: float) -> Iterator[dict[str, Any]]:
    """Each letter once that was in the queue when it started; ends with the first answer that holds no such letter."""
    seen: set[str] = set()
    while True:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=LETTERS, VisibilityTimeout=HIDDEN, WaitTimeSeconds=1,
            AttributeNames=["SentTimestamp"],
        )  # fmt: skip
        new = [
            one
            for one in answer.get("Messages", [])
            if one["MessageId"] not in seen and int(one["Attributes"]["SentTimestamp"]) / 1000 <= started
        ]
        if not new:
            return
        seen |= {one["MessageId"] for one in new}
        yield from new


def _read(message: dict[str, Any], now: datetime, s3: Any) -> tuple[str, StreamRecord | None, str]:
    """Name of a letter, and its record or the reason why it has none that could be sent."""
    try:
        letter = json.loads(message["Body"])
        name = f"{letter['shard']}:{letter['sequence_number']}"
        data = base64.b64decode(letter["data"], validate=True) if letter["is_complete"] is True else _whole(letter, s3)
        if data is None:
            return name, None, f"it holds a part of its record only; the cause was: {letter['reason']}"
        record = StreamRecord(letter["partition_key"], data)
        if (occurred := _occurred(record.data)) and now - occurred > LONGEST_DELAY:
            too_old = f"its event is of {occurred:%Y-%m-%d %H:%M} UTC, and the function takes none of more than 7 days"
            return name, None, f"{too_old}; the cause was: {letter['reason']}"
        return name, record, ""
    except (ValueError, KeyError, TypeError, binascii.Error):
        return message["MessageId"], None, "it is no letter of the stream's function"


def _whole(letter: dict[str, Any], s3: Any) -> bytes | None:
    """The record that a letter holds a part of; None when the raw bucket does not have it any more."""
    from botocore.exceptions import ClientError

    if not (key := letter.get("object")):
        return None
    try:
        return s3.get_object(Bucket=settings().raw_bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        return None


def _occurred(data: bytes) -> datetime | None:
    """When the event of a record occurred; None when it does not say so as the function reads it."""
    try:
        moment = datetime.fromisoformat(json.loads(data)["occurred_at"])
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
