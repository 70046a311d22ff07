"""Wait until an ingest run has passed curation and load, or has failed on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

CHAIN = ("curate_concerts", "load_warehouse")
AUDIT_SQL = """
SELECT source, entity, status, message FROM quality.load_audit
WHERE run_id = :run_id{of_report}
"""


class WarehouseLoadTrigger(BaseTrigger):
    """Fire when no run of the chain is under way and quality.load_audit speaks of the ingest run.

    :param run_id: slug of the ingest run
    :param report_etag: version of the curated report; audit rows of another one do not count
    :param poll_interval: seconds between two looks
    :param idle_timeout: seconds without a run of the chain and without an audit row after which the chain is taken
        as broken: an asset event starts its DAG within seconds
    """

    def __init__(
        self, *, run_id: str, report_etag: str | None = None, poll_interval: float = 1.0, idle_timeout: float = 90.0
    ) -> None:
        super().__init__()
        self.run_id = run_id
        self.report_etag = report_etag
        self.poll_interval = poll_interval
        self.idle_timeout = idle_timeout

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "run_id": self.run_id,
                "report_etag": self.report_etag,
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
            if self.report_etag is None:
                return query(AUDIT_SQL.format(of_report=""), run_id=self.run_id)
            of_report = " AND report_etag = :report_etag"
            return query(AUDIT_SQL.format(of_report=of_report), run_id=self.run_id, report_etag=self.report_etag)
        except StatementFailedError as error:
            if "does not exist" in str(error):
                return []
            raise
