"""Sensor of run_platform: the events that an ingest run has sent lie in micro-batches, ready to be loaded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.partitions import run_slug
from concert_platform.triggers.stream import StreamConsumedTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class StreamConsumedSensor(FreshRetryMixin, BaseOperator):
    """Wait deferrably until the stream's function has dealt with what an ingest run has sent, if anything.

    :param ingest_run_id: Airflow run id of ingest_concerts (templated)
    :param wait_for: longest wait, after which the task fails for good; a batch that the function cannot use is tried
        again for hours, which is not waited for
    """

    only_waits = True
    template_fields: Sequence[str] = ("ingest_run_id",)

    def __init__(self, *, ingest_run_id: str, wait_for: timedelta = timedelta(minutes=15), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ingest_run_id = ingest_run_id
        self.wait_for = wait_for

    def execute(self, context: Context) -> int:
        from concert_platform.sources.changes import sent_by

        sent = sent_by(run_slug(self.ingest_run_id))
        if not sent or not sent["positions"]:
            self.log.info("ingest run %s has sent nothing through the stream", self.ingest_run_id)
            return 0
        self.defer(
            trigger=StreamConsumedTrigger(positions=dict(sent["positions"]), noted_at=sent["noted_at"]),
            method_name="execute_complete",
            timeout=self.wait_for,
        )
        return 0

    def execute_complete(self, context: Context, event: dict[str, Any]) -> int:
        """Number of shards that the run has sent to."""
        return event["shards"]
