"""Wait until an ingest run has passed curation and load, or has failed on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

CHAIN = ("curate_concerts", "load_warehouse")
AUDIT_SQL = """
SELECT source, entity, status, message FROM quality.load_audit
WHERE run_id = :run_id AND loaded_at >= CAST(:loaded_after AS TIMESTAMP)
"""
EVER = "1900-01-01T00:00:00+00:00"


class WarehouseLoadTrigger(BaseTrigger):
    """Fire when no run of the chain is under way and quality.load_audit speaks of the ingest run.

    :param run_id: slug of the ingest run
    :param loaded_after: ISO time; earlier audit rows do not count
    :param poll_interval: seconds between two looks
    :param idle_timeout: seconds without a run of the chain and without an audit row after which the chain is taken
        as broken: an asset event starts its DAG within seconds
    """

    def __init__(
        self, *, run_id: str, loaded_after: str | None = None, poll_interval: float = 1.0, idle_timeout: float = 90.0
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.loaded_after = loaded_after
        self.poll_interval = poll_interval
        self.idle_timeout = idle_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "run_id": self.run_id,
                "loaded_after": self.loaded_after,
                "poll_interval": self.poll_interval,
                "idle_timeout": self.idle_timeout,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        idle_since = time.monotonic()
        while True:
            if await sync_to_async(self.runs_in_progress)():
                idle_since = time.monotonic()
            elif audits := await sync_to_async(self.audits)():
                yield TriggerEvent({"run_id": self.run_id, "audits": audits})
                return
            elif time.monotonic() - idle_since > self.idle_timeout:
                yield TriggerEvent({"run_id": self.run_id, "audits": []})
                return
            await asyncio.sleep(self.poll_interval)

    @staticmethod
    def runs_in_progress() -> int:
        """Number of queued or running runs of the DAGs between ingest and warehouse."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = ["queued", "running"]
        return sum(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=states) for dag_id in CHAIN)

    def audits(self) -> list[list[Any]]:
        """Audit rows of the ingest run; none while the warehouse has no such table or row yet."""
        from concert_platform.warehouse import StatementFailedError, query

        try:
            return query(AUDIT_SQL, run_id=self.run_id, loaded_after=_utc(self.loaded_after or EVER))
        except StatementFailedError as error:
            if "does not exist" in str(error):
                return []
            raise


def _utc(moment: str) -> str:
    """An ISO time as the warehouse's clock writes it: UTC, without a zone."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
