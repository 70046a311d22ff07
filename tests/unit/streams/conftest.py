"""A stream and a bucket as far as a producer sees them."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Verdict = Callable[[int, list[dict[str, Any]]], list[str | None] | Exception]


class FakeKinesis:
    """Takes records as `verdict` says: per record an error code or None, or an exception for the request."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        self.verdict: Verdict = verdict or (lambda request, records: [None] * len(records))
        self.requests: list[list[dict[str, Any]]] = []
        self.taken: list[tuple[str, bytes]] = []

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.requests.append(Records)
        verdict = self.verdict(len(self.requests), Records)
        if isinstance(verdict, Exception):
            raise verdict
        answers: list[dict[str, Any]] = []
        for record, code in zip(Records, verdict, strict=True):
            if code:
                answers.append({"ErrorCode": code, "ErrorMessage": "no"})
                continue
            self.taken.append((record["PartitionKey"], record["Data"]))
            answers.append({"ShardId": "shardId-000000000000", "SequenceNumber": str(len(self.taken))})
        return {"FailedRecordCount": sum(map(bool, verdict)), "Records": answers}

    def of(self, key: str) -> list[bytes]:
        """What the stream has of a partition key, in its order."""
        return [data for one, data in self.taken if one == key]


class FakeS3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: Any) -> None:
        self.objects[Key] = Body

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self.objects.pop(Key, None)

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(Prefix)]}]


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def failed(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutRecords")


@pytest.fixture
def kinesis() -> FakeKinesis:
    return FakeKinesis()


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()
