"""S3 answers 503 Slow Down while the sources deliver. The refusals are put into botocore's HTTP layer: what the
platform's code sends, and how often, is its own."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from concert_platform.sources.files import import_box_office
from concert_platform.sources.state import IngestState
from concert_platform.sources.ticketmaster import ingest_events
from tests.contract.ingest_platform import FIRST, SECOND, WEEK, Platform, publish

pytest_plugins = ["tests.contract.ingest_platform"]

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
SOURCE = "broadway_weekly_grosses"


class _Body:
    @staticmethod
    def stream(**_: Any) -> Iterator[bytes]:
        yield SLOW_DOWN


class Refusals:
    """Answers each S3 request with 503 until it has been asked a number of times.

    :param methods: HTTP methods that it concerns
    """

    def __init__(self, times: float, methods: tuple[str, ...]) -> None:
        self.times, self.methods = times, methods
        self.asked: Counter[tuple[str, str]] = Counter()

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        if request.method not in self.methods:
            return None
        self.asked[request.method, request.url] += 1
        if self.asked[request.method, request.url] > self.times:
            return None
        return AWSResponse(request.url, 503, {"content-type": "application/xml"}, _Body())


@pytest.fixture
def refuse(ingest: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Refusals]:
    def begin(times: float, *methods: str) -> Refusals:
        refusals, session = Refusals(times, methods), boto3.Session()
        session.events.register("before-send.s3", refusals)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        return refusals

    return begin


def test_requests_that_s3_refuses_for_a_while_are_repeated_and_deliver_once(
    ingest: Platform, refuse: Callable[..., Refusals]
) -> None:
    ingest.drop("week.csv", WEEK)
    refusals = refuse(2, "PUT", "GET")
    assert {entry["source"]: entry["records"] for entry in import_box_office(FIRST)}[SOURCE] == 1
    assert ingest_events(FIRST)["records"] == 40
    assert publish(FIRST) == [FIRST]
    assert {method for method, _ in refusals.asked} == {"PUT", "GET"} and min(refusals.asked.values()) > 2
    (file,) = ingest.manifest(SOURCE, "box_office", FIRST)["files"]
    assert ingest.read(file["key"]) == WEEK.encode()
    assert [entry["records"] for entry in import_box_office(SECOND)] == [0, 0, 0]


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_what_s3_refuses_for_long_fails_the_task_and_is_delivered_once_by_its_retry(
    ingest: Platform, refuse: Callable[..., Refusals], method: str
) -> None:
    ingest.drop("week.csv", WEEK)
    refuse(float("inf"), method)
    with pytest.raises(ClientError, match="SlowDown"):
        import_box_office(FIRST)
    assert ingest.keys("raw/") == [] and IngestState().run(FIRST) is None
    refuse(0, method)
    assert {entry["source"]: entry["records"] for entry in import_box_office(FIRST)}[SOURCE] == 1
    assert [entry["records"] for entry in import_box_office(SECOND)] == [0, 0, 0]
    assert publish(SECOND) == [FIRST, SECOND]
