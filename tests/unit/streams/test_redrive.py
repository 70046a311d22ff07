"""Dead letters go back through the stream, and none is deleted before the stream has it."""

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform.streams import redrive as module
from concert_platform.streams.kinesis import KinesisProducer
from concert_platform.streams.records import StreamStalledError
from concert_platform.streams.redrive import redrive
from tests.unit.sources.memory import MemoryBucket
from tests.unit.streams.conftest import Clock, FakeKinesis


class FakeQueue:
    """Hands out each letter until it is deleted; one that was received is hidden from then on."""

    def __init__(self, *bodies: Any) -> None:
        self.letters = {
            str(number): body if isinstance(body, str) else json.dumps(body) for number, body in enumerate(bodies, 1)
        }
        self.hidden: set[str] = set()
        self.sent_at = 1_000

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
        assert QueueName == "concert-platform-staging-concert-data-processor-dead-letters"
        return {"QueueUrl": "queue"}

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        seen = [name for name in self.letters if name not in self.hidden][:MaxNumberOfMessages]
        self.hidden |= set(seen)
        return {
            "Messages": [
                {"MessageId": name, "ReceiptHandle": name, "Body": self.letters[name],
                 "Attributes": {"SentTimestamp": str(self.sent_at)}}
                for name in seen
            ]
        }  # fmt: skip

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        del self.letters[ReceiptHandle]


def letter(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "reason": "user_id is missing", "stream": "arn", "shard": "shardId-000000000000", "partition_key": f"u{number}",
        "sequence_number": str(number), "data": base64.b64encode(f"event {number}".encode()).decode(),
        "is_complete": True, **changed,
    }  # fmt: skip


@pytest.fixture(autouse=True)
def staging(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "concert-platform-staging-concert-data-processor-dead-letters"
    monkeypatch.setattr(module, "settings", lambda: SimpleNamespace(dead_letter_queue=name, raw_bucket="raw"))


def producer(kinesis: FakeKinesis) -> KinesisProducer:
    clock = Clock()
    return KinesisProducer("interactions", spill=None, client=kinesis, sleep=clock.sleep, clock=clock)


def test_every_letter_goes_back_under_its_own_key_and_is_deleted(kinesis: FakeKinesis) -> None:
    queue = FakeQueue(*map(letter, range(25)))
    outcome = redrive(sqs=queue, producer=producer(kinesis))
    assert kinesis.taken == [(f"u{number}", f"event {number}".encode()) for number in range(25)]
    assert (outcome.sent, outcome.kept, queue.letters) == (25, {}, {})
    assert str(outcome) == "25 dead letters went back through the stream"


def test_a_letter_with_a_part_of_its_record_is_kept_and_named(kinesis: FakeKinesis) -> None:
    queue = FakeQueue(letter(1, is_complete=False), letter(2), "no letter", {"id": 1}, letter(3, data="$"))
    outcome = redrive(sqs=queue, producer=producer(kinesis))
    assert (outcome.sent, sorted(queue.letters)) == (1, ["1", "3", "4", "5"])
    assert outcome.kept["shardId-000000000000:1"].startswith(
        "it holds a part of its record only; the cause was: user_id"
    )
    assert outcome.kept["3"] == outcome.kept["4"] == outcome.kept["5"] == "it is no letter of the stream's function"


def test_the_record_of_a_letter_that_was_cut_is_read_from_the_raw_bucket(kinesis: FakeKinesis) -> None:
    bucket = MemoryBucket()
    bucket.objects["stream/dt=2026-07-10/00/shard-1.poison"] = b"event" * 60_000
    queue = FakeQueue(letter(1, is_complete=False, object="stream/dt=2026-07-10/00/shard-1.poison"))
    outcome = redrive(sqs=queue, s3=bucket, producer=producer(kinesis))
    assert (outcome.sent, kinesis.taken, queue.letters) == (1, [("u1", b"event" * 60_000)], {})


def test_a_letter_that_the_stream_does_not_take_stays(kinesis: FakeKinesis) -> None:
    queue = FakeQueue(letter(1), letter(2))
    kinesis.verdict = lambda request, sent: ["ProvisionedThroughputExceededException" if request > 1 else None]
    with pytest.raises(StreamStalledError):
        redrive(sqs=queue, producer=producer(kinesis))
    assert sorted(queue.letters) == ["2"]


def test_what_comes_back_during_a_redrive_waits_for_the_next_one(kinesis: FakeKinesis) -> None:
    queue = FakeQueue(letter(1))
    queue.sent_at = 3_000_000
    assert redrive(sqs=queue, producer=producer(kinesis), now=lambda: 2_000.0).sent == 0
    assert kinesis.taken == [] and sorted(queue.letters) == ["1"]


def test_a_letter_whose_event_is_too_old_for_the_function_is_kept_and_named(kinesis: FakeKinesis) -> None:
    started = datetime(2026, 7, 10, 12, tzinfo=UTC)

    def event(number: int, occurred_at: Any) -> dict[str, Any]:
        data = json.dumps({"event_id": f"e{number}", "occurred_at": occurred_at}).encode()
        return letter(number, data=base64.b64encode(data).decode())

    times = ["2026-07-03T11:59:59Z", "2026-07-03T14:00:01+02:00", "2026-07-03T13:59:59+02:00", "last week", None, 7,
             "2020-01-01T00:00:00", "0001-01-01T00:00:00+14:00"]  # fmt: skip
    queue = FakeQueue(*(event(number, at) for number, at in enumerate(times)))
    outcome = redrive(sqs=queue, producer=producer(kinesis), now=started.timestamp)
    assert sorted(outcome.kept) == ["shardId-000000000000:0", "shardId-000000000000:2"]
    assert outcome.kept["shardId-000000000000:0"] == (
        "its event is of 2026-07-03 11:59 UTC, and the function takes none of more than 7 days; "
        "the cause was: user_id is missing"
    )
    assert (outcome.sent, sorted(queue.letters)) == (6, ["1", "3"])
