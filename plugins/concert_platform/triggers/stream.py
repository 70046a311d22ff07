"""Wait until the stream's function has dealt with what an ingest run has sent."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from concert_platform.clients import client
from concert_platform.triggers.waiting import WaitTrigger


class StreamConsumedTrigger(WaitTrigger):
    """Fire when a micro-batch reaches each position that the run has noted.

    :param positions: shard to the last sequence number of the run
    :param noted_at: when it noted them, in ISO form
    :param poll_interval: seconds between two looks
    """

    fields = ("positions", "noted_at", "poll_interval")

    def __init__(
        self, *, positions: dict[str, str], noted_at: str, poll_interval: float = 1.0, deadline: str | None = None
    ) -> None:
        super().__init__(deadline=deadline)
        self.positions = positions
        self.noted_at = noted_at
        self.poll_interval = poll_interval

    @property
    def what(self) -> str:
        return f"what was sent to {len(self.positions)} shards until {self.noted_at}"

    async def look(self) -> dict[str, Any] | None:
        from concert_platform.streams.micro_batches import is_consumed

        noted_at = datetime.fromisoformat(self.noted_at)
        consumed = await asyncio.to_thread(lambda: is_consumed(self.positions, noted_at, client("s3")))
        return {"shards": len(self.positions)} if consumed else None
