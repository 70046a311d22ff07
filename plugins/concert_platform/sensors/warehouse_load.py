"""Sensor of run_platform: the ingest run is in the warehouse, or the reason why it is not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.compat import AirflowFailException
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.partitions import run_slug
from concert_platform.triggers.warehouse_load import LONGEST_IDLE, WarehouseLoadTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class WarehouseLoadSensor(FreshRetryMixin, BaseOperator):
    """Wait deferrably until quality.load_audit accounts for an ingest run.

    :param ingest_run_id: Airflow run id of ingest_concerts (templated)
    :param report_etag: version of the curated report that must be loaded; default any (templated)
    :param wait_for: longest wait, after which the task fails for good
    :param idle_for: how long no run of the chain may be under way before it is taken as broken, which no retry mends
    """

    only_waits = True
    template_fields: Sequence[str] = ("ingest_run_id", "report_etag")

    def __init__(
        self,
        *,
        ingest_run_id: str,
        report_etag: str | None = None,
        wait_for: timedelta = timedelta(hours=1),
        idle_for: timedelta = timedelta(seconds=LONGEST_IDLE),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ingest_run_id = ingest_run_id
        self.report_etag = report_etag
        self.wait_for = wait_for
        self.idle_for = idle_for

    def execute(self, context: Context) -> None:
        self.defer(
            trigger=WarehouseLoadTrigger(
                run_id=run_slug(self.ingest_run_id),
                report_etag=self.report_etag,
                idle_timeout=self.idle_for.total_seconds(),
            ),
            method_name="execute_complete",
            timeout=self.wait_for,
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> int:
        """Number of accounts (source and entity) that the load has written."""
        audits = event["audits"]
        if not audits:
            raise AirflowFailException(
                f"ingest run {event['run_id']} never reached quality.load_audit and no run of curate_concerts or "
                f"load_warehouse was under way for {self.idle_for}: look at their last runs"
            )
        failed = [f"{source}/{entity}: {message}" for source, entity, status, message in audits if status != "loaded"]
        if failed:
            reasons = "; ".join(sorted(set(failed)))
            raise AirflowFailException(f"ingest run {event['run_id']} is not in order: {reasons}")
        return len(audits)
