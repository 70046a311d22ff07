"""What the nightly run published in DynamoDB, as services read it.

The table's key is (subject, publication). The item (`<model>/current`, `current`) names the publication that is served;
its subjects are (`<model>/<subject>`, that name), with `content` as JSON compressed by gzip. Who begins at the pointer
sees one publication as a whole.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

CURRENT = "current"
AT_ONCE = 100  # keys of a BatchGetItem
MOST_TRIES = 8  # of keys that the table did not answer
Item = dict[str, Any]


class NothingPublishedError(LookupError):
    """No publication of the model is there yet: nobody can say whether a subject is known."""


class UnreadableScoresError(ValueError):
    """Published scores that cannot be read; the message names the place, the reason and what to do."""


class SubjectStore(Protocol):
    """Where a service reads what is published of one subject."""

    def find(self, subject_id: str) -> Mapping[str, Any] | None:
        """None when nothing is published of it."""


class PublishedScores:
    """Subjects of one model in the publication that was current at the first read.

    An object sees that one for as long as it lives: make one for each request, all with the same client.

    :param client: of DynamoDB; without one, boto3's with its own configuration
    """

    def __init__(self, table: str, model: str, client: Any = None) -> None:
        if client is None:
            import boto3

            client = boto3.client("dynamodb")
        self._client, self._table, self._model = client, table, model
        self._name: str | None = None

    def content(self, subject: str) -> Any:
        """What is published of a subject; None when there is nothing.

        :raises NothingPublishedError: when the model has no publication
        :raises UnreadableScoresError: when it is damaged
        """
        return self._content(self._item(f"{self._model}/{subject}", self._publication()))

    def contents(self, subjects: Iterable[str]) -> dict[str, Any]:
        """The same of many subjects in as few requests as there can be; subjects without anything are left out."""
        publication, left = self._publication(), list(dict.fromkeys(subjects))
        found: dict[str, Any] = {}
        while left:
            block, left = left[:AT_ONCE], left[AT_ONCE:]
            for item in self._items([f"{self._model}/{subject}" for subject in block], publication):
                content = self._content(item)
                if content is not None:
                    found[item["subject"]["S"].removeprefix(f"{self._model}/")] = content
        return found

    def subjects(self, prefix: str) -> Iterator[str]:
        """Subjects that begin so, in no order. Reads the whole table: for a validation, not for a request."""
        publication, whole = self._publication(), f"{self._model}/{prefix}"
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            ProjectionExpression="subject, expires_at",
            FilterExpression="publication = :publication AND begins_with(subject, :prefix)",
            ExpressionAttributeValues={":publication": {"S": publication}, ":prefix": {"S": whole}},
        )
        for page in pages:
            for item in page["Items"]:
                if not _expired(item):
                    yield item["subject"]["S"].removeprefix(f"{self._model}/")

    def _publication(self) -> str:
        if self._name is None:
            pointer = self._item(f"{self._model}/{CURRENT}", CURRENT)
            if pointer is None:
                raise NothingPublishedError(
                    f"{self._table} holds no scores of {self._model}: run retrain_models, or see why it failed"
                )
            self._name = str(pointer["name"]["S"])
        return self._name

    def _item(self, subject: str, publication: str) -> Item | None:
        found = self._client.get_item(TableName=self._table, Key=_key(subject, publication), ConsistentRead=True)
        item: Item | None = found.get("Item")
        return item

    def _items(self, subjects: list[str], publication: str) -> Iterator[Item]:
        keys = [_key(subject, publication) for subject in subjects]
        asked: dict[str, Any] = {self._table: {"Keys": keys, "ConsistentRead": True}}
        for attempt in range(MOST_TRIES):
            answer = self._client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(self._table, [])
            asked = answer.get("UnprocessedKeys") or {}
            if not asked:
                return
            time.sleep(min(0.05 * 2**attempt, 2))
        raise UnreadableScoresError(f"{self._table} does not answer for {len(subjects)} subjects: ask again later")

    def _content(self, item: Item | None) -> Any:
        # DynamoDB deletes an expired item days later.
        if item is None or _expired(item):
            return None
        try:
            return json.loads(gzip.decompress(item["content"]["B"]))
        except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
            raise UnreadableScoresError(
                f"{item['subject']['S']} in {self._table} is damaged ({error!r}): run retrain_models again"
            ) from error


class PublishedStore:
    """Subjects of one kind of a model, by their id; a store sees one publication: make one for each request.

    :param kind: what its subjects begin with, such as ``concert``
    :param client: of DynamoDB; without one, boto3's with its own configuration
    """

    def __init__(self, table: str, model: str, kind: str, client: Any = None) -> None:
        self._scores, self._kind = PublishedScores(table, model, client), kind

    def find(self, subject_id: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._scores.content(f"{self._kind}/{subject_id}")
        return found


def _key(subject: str, publication: str) -> Item:
    return {"subject": {"S": subject}, "publication": {"S": publication}}


def _expired(item: Item) -> bool:
    return "expires_at" in item and int(item["expires_at"]["N"]) <= time.time()
