"""The verdict on the stream, in one line and as metrics."""

from typing import Any

import boto3
import pytest

from concert_platform.streams import health
from concert_platform.streams.health import Health
from tests.unit.template_reader import SETTINGS


def test_a_stream_in_order_says_so_in_one_line() -> None:
    assert str(Health(1.5, 0, 42.0, 0)) == (
        "stream in order (lag 2 s, 0 dead letters, 0 spilled, newest event in core 42 s old)"
    )
    assert Health(0, 0, None, 0).metrics() == {
        "StreamIteratorAgeSeconds": 0, "StreamDeadLetters": 0, "StreamFailedBatches": 0, "StreamSpilledObjects": 0,
    }  # fmt: skip


def test_each_trouble_is_named_with_what_to_do() -> None:
    troubles = Health(900.0, 3, 10.0, 2, 1).troubles
    assert [trouble.partition(":")[0] for trouble in troubles] == [
        "the function is 900 s behind", "3 dead letters", "1 batches were given up", "2 objects wait in the spill",
    ]  # fmt: skip
    assert "\n" not in str(Health(900.0, 3, None, 2))


def test_both_queues_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = {SETTINGS.dead_letter_queue: "3", SETTINGS.failed_batches_queue: "2"}
    monkeypatch.setattr(health, "settings", lambda: SETTINGS)

    class Queues:
        def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
            return {"QueueUrl": QueueName}

        def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
            return {"Attributes": {AttributeNames[0]: messages[QueueUrl], AttributeNames[1]: "0"}}

    monkeypatch.setattr(boto3, "client", lambda _: Queues())
    monkeypatch.setattr(health, "Spill", lambda _: type("Spill", (), {"waiting": list})())
    for name, value in (("_iterator_age", 0.0), ("_freshness", None)):
        monkeypatch.setattr(health, name, lambda _, value=value: value)
    published: dict[str, float] = {}
    monkeypatch.setattr(health, "publish", published.update)
    found = health.look()
    assert (found.dead_letters, found.failed_batches) == (3, 2) and published["StreamFailedBatches"] == 2
