"""Wait for a transaction of the warehouse, and cancel it when its task is killed meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from concert_platform.triggers.waiting import WaitTrigger


class SqlBatchTrigger(WaitTrigger):
    """Fire when a statement of the Redshift Data API has ended.

    :param statement_id: id of the statement or batch
    :param poll_interval: seconds between two looks
    """

    fields = ("statement_id", "poll_interval")

    def __init__(self, *, statement_id: str, poll_interval: float = 2.0, deadline: str | None = None) -> None:
        super().__init__(deadline=deadline)
        self.statement_id = statement_id
        self.poll_interval = poll_interval

    @property
    def what(self) -> str:
        return f"SQL {self.statement_id}"

    async def look(self) -> dict[str, Any] | None:
        from concert_platform import warehouse

        answer = await asyncio.to_thread(warehouse.describe, self.statement_id)
        if answer["Status"] not in warehouse.TERMINAL:
            return None
        reason = warehouse.failure(answer) if answer["Status"] in warehouse.UNSUCCESSFUL else ""
        return {"statement_id": self.statement_id, "status": answer["Status"], "reason": reason}

    def stop(self) -> None:
        from concert_platform import warehouse

        warehouse.cancel(self.statement_id)
