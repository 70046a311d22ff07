"""Wait until an ingest run has passed curation and load, or has failed on the way."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from concert_platform.triggers.waiting import WaitTrigger, ask_airflow

CHAIN = ("curate_concerts", "load_warehouse")
AUDIT_SQL = """
SELECT source, entity, status, message FROM quality.load_audit
WHERE run_id = :run_id{of_report}
"""
# Seconds without a run of the chain and without an audit row after which the chain is taken as broken: an asset event
# starts its DAG within seconds, a scheduler that restarts or is overloaded needs minutes.
LONGEST_IDLE = 600.0
LONGEST_SLICE = 1.0  # seconds for which a look waits for its query; the next look goes on


class WarehouseLoadTrigger(WaitTrigger):
    """Fire when no run of the chain is under way and quality.load_audit speaks of the ingest run.

    :param run_id: slug of the ingest run
    :param report_etag: version of the curated report; audit rows of another one do not count
    :param poll_interval: seconds between two looks
    :param idle_timeout: seconds after which an idle chain is taken as broken; the event then has no audits
    """

    fields = ("run_id", "report_etag", "poll_interval", "idle_timeout")

    def __init__(
        self,
        *,
        run_id: str,
        report_etag: str | None = None,
        poll_interval: float = 1.0,
        idle_timeout: float = LONGEST_IDLE,
        deadline: str | None = None,
    ) -> None:
        super().__init__(deadline=deadline)
        self.run_id = run_id
        self.report_etag = report_etag
        self.poll_interval = poll_interval
        self.idle_timeout = idle_timeout
        self._idle_since: float | None = None
        self._statement_id: str | None = None

    @property
    def what(self) -> str:
        return f"load of ingest run {self.run_id}"

    async def look(self) -> dict[str, Any] | None:
        if await ask_airflow(self.runs_in_progress):
            self._idle_since = self._statement_id = None
            return None
        self._idle_since = self._idle_since or time.monotonic()
        audits = await asyncio.to_thread(self.audits)
        is_broken = time.monotonic() - self._idle_since > self.idle_timeout
        return {"run_id": self.run_id, "audits": audits} if audits or (audits is not None and is_broken) else None

    @staticmethod
    def runs_in_progress() -> int:
        """Number of queued or running runs of the DAGs between ingest and warehouse."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = ["queued", "running"]
        return sum(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, states=states) for dag_id in CHAIN)

    def audits(self) -> list[list[Any]] | None:
        """Audit rows of the ingest run, an empty list while the warehouse has no such table or row yet.

        None while the query is under way: the next call goes on with it.
        """
        from concert_platform import warehouse

        statement_id, self._statement_id = self._statement_id or self._ask(), None
        try:
            answer = warehouse.wait(statement_id, at_most=LONGEST_SLICE)
        except warehouse.StatementFailedError as error:
            if "does not exist" in str(error):
                return []
            raise
        if answer["Status"] != warehouse.FINISHED:
            self._statement_id = statement_id
            return None
        return warehouse.rows(answer)

    def _ask(self) -> str:
        from concert_platform import warehouse

        if self.report_etag is None:
            return warehouse.submit_query(AUDIT_SQL.format(of_report=""), run_id=self.run_id)
        of_report = " AND report_etag = :report_etag"
        sql = AUDIT_SQL.format(of_report=of_report)
        return warehouse.submit_query(sql, run_id=self.run_id, report_etag=self.report_etag)
