"""The sensor of run_platform waits for what a run has sent, and for nothing when it sent nothing."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
from airflow.exceptions import TaskDeferred

from concert_platform.sensors.stream import StreamConsumedSensor
from concert_platform.sources import changes
from concert_platform.streams import micro_batches
from concert_platform.triggers import stream
from concert_platform.triggers.stream import StreamConsumedTrigger

NOTED = {"positions": {"shardId-000000000000": "7"}, "noted_at": "2026-07-03T12:00:00+00:00"}


def sensor() -> StreamConsumedSensor:
    return StreamConsumedSensor(task_id="wait_for_stream", ingest_run_id="make_run__2026-07-03T12-00-00")


@pytest.mark.parametrize("sent", [None, {**NOTED, "positions": {}}])
def test_a_run_that_sent_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, sent: Any) -> None:
    monkeypatch.setattr(changes, "sent_by", lambda run_id: sent)
    assert sensor().execute({}) == 0


def test_a_run_that_sent_something_is_waited_for_by_its_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(changes, "sent_by", lambda run_id: asked.append(run_id) or NOTED)
    with pytest.raises(TaskDeferred) as deferred:
        sensor().execute({})
    assert asked == ["make-run-2026-07-03t12-00-00"]
    path, arguments = deferred.value.trigger.serialize()
    assert path.endswith("triggers.stream.StreamConsumedTrigger") and arguments["positions"] == NOTED["positions"]


def test_the_trigger_fires_once_the_positions_are_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, False, True]
    asked: list[tuple[dict, datetime]] = []

    def is_consumed(positions: dict[str, str], noted_at: datetime, s3: Any) -> bool:
        asked.append((positions, noted_at))
        return answers[len(asked) - 1]

    monkeypatch.setattr(micro_batches, "is_consumed", is_consumed)
    monkeypatch.setattr(stream, "client", lambda service: service)
    trigger = StreamConsumedTrigger(**NOTED, poll_interval=0)  # type: ignore[arg-type]

    async def first() -> Any:
        return await anext(trigger.run())

    assert asyncio.run(first()).payload == {"shards": 1}
    assert len(asked) == 3 and asked[0][1] == datetime.fromisoformat(NOTED["noted_at"])  # type: ignore[arg-type]
