"""Wait for a transaction of the warehouse, and cancel it when its task is killed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class SqlBatchTrigger(BaseTrigger):
    """Fire when a statement of the Redshift Data API has ended.

    :param statement_id: id of the statement or batch
    :param task: dag_id, run_id, task_id and map_index of the task that waits
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, statement_id: str, task: dict[str, Any], poll_interval: float = 2.0) -> None:
        super().__init__()
        self.statement_id = statement_id
        self.task = task
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"statement_id": self.statement_id, "task": self.task, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from concert_platform import warehouse

        try:
            while (answer := await sync_to_async(warehouse.describe)(self.statement_id))["Status"] not in (
                warehouse.TERMINAL
            ):
                await asyncio.sleep(self.poll_interval)
        except asyncio.CancelledError:
            # A triggerer that stops cancels its triggers too, but then the task stays deferred and is taken over.
            if not await sync_to_async(self.is_still_deferred)():
                await sync_to_async(warehouse.cancel)(self.statement_id)
            raise
        reason = warehouse.failure(answer) if answer["Status"] in warehouse.UNSUCCESSFUL else ""
        yield TriggerEvent({"statement_id": self.statement_id, "status": answer["Status"], "reason": reason})

    def is_still_deferred(self) -> bool:
        """Whether the task goes on waiting; true as well when Airflow cannot be asked any more."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        try:
            states = RuntimeTaskInstance.get_task_states(
                dag_id=self.task["dag_id"], run_ids=[self.task["run_id"]], task_ids=[self.task["task_id"]]
            )
        except Exception:  # noqa: BLE001 - a triggerer that shuts down has closed its connection, in several ways
            return True
        index = self.task["map_index"]
        name = self.task["task_id"] if index < 0 else f"{self.task['task_id']}_{index}"
        return states.get(self.task["run_id"], {}).get(name) == "deferred"
