"""SQL files of include/sql as one transaction of the Redshift Data API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform import warehouse
from concert_platform.load_outcome import ERROR_KEY
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.triggers.redshift import SqlBatchTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

WAIT_BEFORE_DEFERRING = 10.0  # seconds: handing over to the triggerer and back takes longer than most of our statements


class RunSqlBatchOperator(FreshRetryMixin, BaseOperator):
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

    def __init__(self, *, files: Sequence[str], values: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.files = list(files)
        self.values = values or {}

    def execute(self, context: Context) -> str:
        ti: Any = context["ti"]
        statements = warehouse.render(self.files, **self.values)
        try:
            self.statement_id = self._submit(ti, statements)
            self.log.info("%s statements of %s are batch %s", len(statements), self.files, self.statement_id)
            status = warehouse.wait(self.statement_id, at_most=WAIT_BEFORE_DEFERRING)["Status"]
        except warehouse.StatementFailedError as error:
            ti.xcom_push(key=ERROR_KEY, value=str(error))
            raise
        if status != warehouse.FINISHED:
            task = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index}
            self.defer(
                trigger=SqlBatchTrigger(statement_id=self.statement_id, task=task),
                method_name="execute_complete",
                timeout=self.execution_timeout,
            )
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

    def _submit(self, ti: Any, statements: list[str]) -> str:
        """Id of the batch: the one that an earlier try of this task sent, unless it has failed."""
        first = max(0, ti.max_tries - (self.retries or 0))  # tries that lie before the last time the task was cleared
        for attempt in range(first, max(ti.try_number, first + 1)):
            statement_id = warehouse.submit_batch(statements, warehouse.client_token(ti, attempt))
            if warehouse.describe(statement_id)["Status"] not in warehouse.UNSUCCESSFUL:
                break
        return statement_id
