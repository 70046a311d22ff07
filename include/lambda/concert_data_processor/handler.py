"""Counts the events of the stream, each once, per artist or concert and day, and hands them on to the warehouse.

One transaction writes the ids of many events and adds to their aggregates, so that a batch may come twice. A record
that breaks a rule, or that the tables refuse for good, goes to the dead letter queue with its reason. At the first
failure that may pass, the rest of the batch is given back from the first record of its transaction on, which keeps the
order of the shard. What was taken, duplicates too, be it nothing, is one object of the raw bucket; while S3 does not
take it, the whole batch is given back, and the ids keep it from being counted twice.

An event that names a concert and no artist gets the concert's, so that it counts for both. While the table of concerts
does not answer, the whole batch is given back: what is counted without its artist stays so. A batch that comes again
may find an artist that its first try did not, or another one. The aggregates then keep the answer of the try that
counted the event, the micro-batch that of the last try, and core that of the object that it loaded first.
"""

from __future__ import annotations

import base64
import json
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from answers import Event, health, load_json, logger
from botocore.exceptions import BotoCoreError, ClientError
from clients import client
from concerts import UnansweredError, artists_of
from interactions import LONGEST_LEAD, InvalidInteractionError
from metrics import emit
from micro_batches import arrival, write, write_poison
from stream_events import StreamEvent
from stream_events import parse as parse_event
from transactions import LARGEST_TRANSACTION, Key, RefusedItemsError, count, keys_of

MAY_PASS = (BotoCoreError, ClientError, UnansweredError)
METRICS = ("CountedRecords", "DuplicateRecords", "PoisonRecords", "UnknownConcertRecords")
LONGEST_MESSAGE = 180_000  # characters of data in a dead letter; a queue takes 256 KiB

Record = dict[str, Any]


class Entry(NamedTuple):
    """A record, and its event or the rule that it breaks."""

    record: Record
    found: StreamEvent | InvalidInteractionError


Group = list[Entry]


def handler(event: Event, _context: object) -> dict[str, Any]:
    if event.get("path") == "/health":
        return health(event)
    records, outcomes = event["Records"], Counter[str]()
    try:
        entries = with_artists([Entry(record, parse(record)) for record in records])
    except MAY_PASS:
        failures = given_back(records[0])
    else:
        failures = take_all(entries, outcomes)
    emit(**{name: outcomes[name] for name in METRICS})
    return {"batchItemFailures": failures}


def with_artists(entries: Group) -> Group:
    """The same entries; the events that name a concert and no artist with the concert's, where it is known.

    :raises UnansweredError: when the table of concerts leaves some unanswered
    :raises ClientError: when DynamoDB does not answer
    """
    artists = artists_of(entry.found.concert_id for entry in entries if lacks_artist(entry))
    return [
        entry._replace(found=replace(entry.found, artist_id=artists.get(entry.found.concert_id)))
        if lacks_artist(entry) else entry
        for entry in entries
    ]  # fmt: skip


def lacks_artist(entry: Entry) -> bool:
    return not isinstance(entry.found, InvalidInteractionError) and entry.found.artist_id is None


def take_all(entries: Group, outcomes: Counter[str]) -> list[dict[str, str]]:
    """Take a batch and hand it on, up to the first failure that may pass; returns what is given back.

    :param outcomes: gets what became of the records
    """
    now = datetime.now(UTC)
    failures, dealt_with, taken = [], 0, []
    waiting = deque(groups(entries))
    while waiting:
        group = waiting.popleft()
        try:
            added = take(group, now)
        except RefusedItemsError as error:
            waiting.extendleft(reversed(list(apart(group, error.keys))))
            continue
        except MAY_PASS:
            failures = given_back(group[0].record)
            break
        outcomes.update(added)
        dealt_with += len(group)
        taken += [] if "PoisonRecords" in added else group
    if dealt_with:  # poison alone too: whoever waits for it finds an empty object
        first, last = entries[0].record, entries[dealt_with - 1].record
        try:
            write([(record, found) for record, found in taken], first, last)
        except MAY_PASS:
            failures = given_back(first)
    return failures


def given_back(record: Record) -> list[dict[str, str]]:
    """The answer that lets Lambda try this record and those after it again."""
    sequence_number = record["kinesis"]["sequenceNumber"]
    logger.exception("record %s failed: it and the ones after it are tried again", sequence_number)
    return [{"itemIdentifier": sequence_number}]


def groups(entries: Group) -> Iterator[Group]:
    """Entries that one transaction takes, in order; one that breaks a rule is alone."""
    group: Group = []
    keys: set[Key] = set()
    for entry in entries:
        if isinstance(entry.found, InvalidInteractionError):
            if group:
                yield group
            yield [entry]
            group, keys = [], set()
            continue
        added = keys_of(entry.found)
        if len(keys | added) > LARGEST_TRANSACTION:
            yield group
            group, keys = [], set()
        group, keys = [*group, entry], keys | added
    if group:
        yield group


def apart(group: Group, suspects: set[Key]) -> Iterator[Group]:
    """The events that write one of these items each alone, what lies between them together: the order stays."""
    for is_suspect, run in groupby(group, key=lambda entry: not suspects.isdisjoint(keys_of(entry.found))):
        entries = list(run)
        yield from ([entry] for entry in entries) if is_suspect else [entries]


def parse(record: Record) -> StreamEvent | InvalidInteractionError:
    try:
        document = load_json(base64.b64decode(record["kinesis"]["data"]))
    except ValueError:
        return InvalidInteractionError("the record is not JSON")
    try:
        return parse_event(document, arrival(record), tolerance=LONGEST_LEAD)
    except InvalidInteractionError as error:
        return error


def take(group: Group, now: datetime) -> dict[str, int]:
    """Count a group, or bury its only record; returns what it adds to which metric.

    :raises RefusedItemsError: when DynamoDB will never take some of several events
    :raises ClientError: when AWS did not take the group and may take it later
    """
    record, found = group[0]
    if isinstance(found, InvalidInteractionError):
        return bury(record, str(found))
    try:
        counted = count([entry.found for entry in group], now)
    except RefusedItemsError as error:
        if len(group) > 1:
            raise
        return bury(record, str(error))
    unknown = sum(map(lacks_artist, group))
    return {"CountedRecords": counted, "DuplicateRecords": len(group) - counted, "UnknownConcertRecords": unknown}


def bury(record: Record, reason: str) -> dict[str, int]:
    """Send a record that no retry will mend to the dead letter queue, with what finds it in the stream."""
    kinesis = record["kinesis"]
    is_complete = len(kinesis["data"]) <= LONGEST_MESSAGE
    letter = {
        "reason": reason,
        "stream": record["eventSourceARN"],
        "shard": record["eventID"].partition(":")[0],
        "sequence_number": kinesis["sequenceNumber"],
        "partition_key": kinesis["partitionKey"],
        "data": kinesis["data"][:LONGEST_MESSAGE],  # base64, as it came
        "is_complete": is_complete,
        "object": None if is_complete else write_poison(record),  # of the raw bucket: the whole record
    }
    client("sqs").send_message(
        QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"],
        MessageBody=json.dumps(letter),
        MessageAttributes={"reason": {"DataType": "String", "StringValue": reason}},
    )
    logger.warning("record %s went to the dead letter queue: %s", kinesis["sequenceNumber"], reason)
    return {"PoisonRecords": 1}
