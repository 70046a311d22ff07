"""Wait until the stream's function has dealt with what an ingest run has sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class StreamConsumedTrigger(BaseTrigger):
    """Fire when a micro-batch reaches each position that the run has noted.

    :param positions: shard to the last sequence number of the run
    :param noted_at: when it noted them, in ISO form
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, positions: dict[str, str], noted_at: str, poll_interval: float = 1.0) -> None:
        super().__init__()
        self.positions = positions
        self.noted_at = noted_at
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"positions": self.positions, "noted_at": self.noted_at, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from concert_platform.streams.micro_batches import is_consumed

        while not await sync_to_async(is_consumed)(self.positions, datetime.fromisoformat(self.noted_at)):
            await asyncio.sleep(self.poll_interval)
        yield TriggerEvent({"shards": len(self.positions)})
