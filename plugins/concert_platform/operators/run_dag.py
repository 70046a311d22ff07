"""Run another DAG and wait for it; a retry goes on with the run that its predecessor started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.external_task import DagStateTrigger

from concert_platform.compat import AirflowException, AirflowFailException
from concert_platform.operators.fresh_retry import FreshRetryMixin

if TYPE_CHECKING:
    from airflow.sdk import Context

RUNNING_STATES = ["queued", "running"]


class RunDagOperator(FreshRetryMixin, TriggerDagRunOperator):
    """Trigger a DAG under a fixed run id and wait deferrably until it ends.

    The provider's operator fails when the run id exists already, which is what a retry after a killed worker meets.
    This one waits for a run in progress, takes a finished one as it is, and clears a failed one to run it again.
    """

    def __init__(self, *, poke_interval: int = 1, **kwargs: Any) -> None:
        super().__init__(
            wait_for_completion=True, deferrable=True, logical_date=None, poke_interval=poke_interval, **kwargs
        )

    def execute(self, context: Context) -> None:
        ti: Any = context["ti"]
        run_ids = [str(self.trigger_run_id)]
        if ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=run_ids, states=["success"]):
            self.log.info("%s run %s has already succeeded", self.trigger_dag_id, self.trigger_run_id)
            return
        if ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=run_ids, states=RUNNING_STATES):
            self.log.info("%s run %s is in progress: waiting for it", self.trigger_dag_id, self.trigger_run_id)
            self.defer(
                trigger=DagStateTrigger(
                    dag_id=self.trigger_dag_id,
                    states=self.allowed_states + self.failed_states,
                    run_ids=run_ids,
                    poll_interval=self.poke_interval,
                ),
                method_name="execute_complete",
            )
        self.reset_dag_run = bool(ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=run_ids))
        super().execute(context)

    def execute_complete(self, context: Context, event: tuple[str, dict[str, Any]]) -> None:
        try:
            super().execute_complete(context, event)
        except AirflowException as error:
            # The other DAG has retried what was worth it; clearing this task runs it again.
            raise AirflowFailException(
                f"{self.trigger_dag_id} run {self.trigger_run_id} has failed: look at its failed tasks"
            ) from error
