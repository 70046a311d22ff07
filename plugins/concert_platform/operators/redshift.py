"""SQL files of include/sql as transactions of the Redshift Data API.

RunSqlBatchOperator     files as one transaction
LoadPartitionOperator   a curated partition: a transaction for each entity, side by side, and a last one
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.redshift_data import RedshiftDataOperator

from concert_platform import warehouse
from concert_platform.compat import AirflowFailException
from concert_platform.load_outcome import ERROR_KEY
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.task_tries import earlier_tries
from concert_platform.triggers.redshift import SqlBatchTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

CLOSING = "closing"  # the last transaction of a partition
WAIT_BEFORE_DEFERRING = 10.0  # seconds: handing over to the triggerer and back takes longer than most of our statements


class RunSqlBatchOperator(FreshRetryMixin, RedshiftDataOperator):
    """Send files as one batch, under a token by which a retry finds it; returns the id of the batch.

    The provider's RedshiftDataOperator sends no ClientToken, so its retry would run the statements a second time, and
    its trigger leaves them running when the task is killed. Here the token names dag, task, run, map index and attempt;
    the attempt rises only after one that has really failed, or when the task was cleared, which asks for the work to be
    done again. The XCom ``error`` of a failed task is its reason as one line.

    :param files: files or patterns below include/sql, rendered in execute()
    :param values: what the files ask for (templated); each passes a filter of sql_values inside the file
    """

    template_fields: Sequence[str] = ("values",)
    template_fields_renderers = {"values": "json"}  # noqa: RUF012 - Airflow reads a plain class attribute
    template_ext: Sequence[str] = ()

    def __init__(self, *, files: Sequence[str], values: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(sql="", **kwargs)
        self.files = list(files)
        self.values = values or {}

    def execute(self, context: Context) -> str:
        ti: Any = context["ti"]
        statements = warehouse.render(self.files, **self.values)
        try:
            self.statement_id = submit(ti, statements, self.retries)
            self.log.info("%s statements of %s are batch %s", len(statements), self.files, self.statement_id)
            status = warehouse.wait(self.statement_id, at_most=WAIT_BEFORE_DEFERRING)["Status"]
        except warehouse.StatementFailedError as error:
            ti.xcom_push(key=ERROR_KEY, value=str(error))
            raise
        if status != warehouse.FINISHED:
            self.defer(trigger=SqlBatchTrigger(statement_id=self.statement_id), method_name="execute_complete")
        return self.statement_id

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        batch = event or {}
        if batch.get("status") != warehouse.FINISHED:
            reason = batch.get("reason") or f"{self.task_id}: the trigger gave no status"
            context["ti"].xcom_push(key=ERROR_KEY, value=reason)
            raise warehouse.StatementFailedError(reason)
        return batch["statement_id"]

    def on_kill(self) -> None:
        if statement_id := getattr(self, "statement_id", None):
            warehouse.cancel(statement_id)


class LoadPartitionOperator(FreshRetryMixin, RedshiftDataOperator):
    """Load one curated partition; returns the ids of its transactions by name.

    The entities are sent side by side, each as one batch, and once all are through the last one marks the partition as
    loaded. What has committed stays when another fails: the partition's accounts are then 'partial', the task fails
    with every reason, and its retry finds the committed ones by their tokens and sends only the failed ones again.

    :param values: what list_loads says of the partition (templated)
    """

    template_fields: Sequence[str] = ("values",)
    template_fields_renderers = {"values": "json"}  # noqa: RUF012 - Airflow reads a plain class attribute
    template_ext: Sequence[str] = ()

    def __init__(self, *, values: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(sql="", **kwargs)
        self.values = values
        self.statement_ids: dict[str, str] = {}

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, str]:
        """Also what goes on after a deferral: each transaction that was sent is found again by its token."""
        ti: Any = context["ti"]
        try:
            planned = warehouse.transactions(self.values)
            for entity, statements in planned.entities.items():
                self.statement_ids[entity] = submit(ti, statements, self.retries, entity)
            self._wait_for(ti, list(planned.entities))
            self.statement_ids[CLOSING] = submit(ti, planned.closing, self.retries, CLOSING)
            self._wait_for(ti, [CLOSING])
        except warehouse.StatementFailedError as error:
            ti.xcom_push(key=ERROR_KEY, value=str(error))
            raise
        except warehouse.RunOfAnotherDayError as error:  # no retry mends it
            ti.xcom_push(key=ERROR_KEY, value=str(error))
            raise AirflowFailException(str(error)) from error
        return self.statement_ids

    execute_complete = execute

    def on_kill(self) -> None:
        for statement_id in self.statement_ids.values():
            warehouse.cancel(statement_id)

    def _wait_for(self, ti: Any, names: Sequence[str]) -> None:
        """:raises StatementFailedError: once all have ended, with the reason of each that has failed"""
        failed = []
        for name in names:
            try:
                status = warehouse.wait(self.statement_ids[name], at_most=WAIT_BEFORE_DEFERRING)["Status"]
            except warehouse.StatementFailedError as error:
                failed.append(f"{name}: {error}")
                continue
            if status != warehouse.FINISHED:
                self.log.info("%s takes longer: deferring", name)
                self.defer(
                    trigger=SqlBatchTrigger(statement_id=self.statement_ids[name]), method_name="execute_complete"
                )
        if failed:
            raise warehouse.StatementFailedError("; ".join(failed))


def submit(ti: Any, statements: Sequence[str], retries: int | None, part: str = "") -> str:
    """Id of a batch: the one that an earlier try of the task sent, unless it has failed.

    :param part: which of several batches of the task
    """
    first = earlier_tries(ti, retries)
    for attempt in range(first, max(ti.try_number, first + 1)):
        statement_id = warehouse.submit_batch(statements, warehouse.client_token(ti, attempt, part))
        if warehouse.describe(statement_id)["Status"] not in warehouse.UNSUCCESSFUL:
            break
    return statement_id
