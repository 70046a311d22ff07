"""Run another DAG and wait for it; a retry goes on with the run that its predecessor started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.trigger_dagrun import XCOM_RUN_ID, TriggerDagRunOperator

from concert_platform.compat import AirflowFailException
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.triggers.dag_run import DagRunTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

RUNNING_STATES = ["queued", "running"]


class RunDagOperator(FreshRetryMixin, TriggerDagRunOperator):
    """Trigger a DAG under a fixed run id and wait deferrably until it ends, at most ``execution_timeout``.

    The provider's operator fails when the run id exists already, which is what a retry after a killed worker meets.
    This one waits for a run in progress, takes a finished one as it is, and clears a failed one to run it again. It
    triggers the run itself: the provider leaves that and the deferral to Airflow, whose wait has no end. After its own
    it fails for good, and the other run goes on.
    """

    only_waits = True

    def __init__(self, *, poke_interval: int = 1, **kwargs: Any) -> None:
        super().__init__(
            wait_for_completion=True, deferrable=True, logical_date=None, poke_interval=poke_interval, **kwargs
        )

    def execute(self, context: Context) -> None:
        ti: Any = context["ti"]
        run_id = str(self.trigger_run_id)
        ti.xcom_push(key=XCOM_RUN_ID, value=run_id)  # the link to the run reads it
        if self._count(ti, ["success"]):
            self.log.info("%s run %s has already succeeded", self.trigger_dag_id, run_id)
            return
        if self._count(ti, RUNNING_STATES):
            self.log.info("%s run %s is in progress: waiting for it", self.trigger_dag_id, run_id)
        else:
            self._trigger(run_id, reset=bool(self._count(ti)))
        self.defer(
            trigger=DagRunTrigger(
                dag_id=self.trigger_dag_id,
                run_id=run_id,
                states=[str(state) for state in (*self.allowed_states, *self.failed_states)],
                poll_interval=self.poke_interval,
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> None:
        if event["state"] not in self.allowed_states:
            # The other DAG has retried what was worth it; clearing this task runs it again.
            raise AirflowFailException(
                f"{self.trigger_dag_id} run {event['run_id']} has failed: look at its failed tasks"
            )
        self.log.info("%s run %s has succeeded", self.trigger_dag_id, event["run_id"])

    def _count(self, ti: Any, states: list[str] | None = None) -> int:
        return ti.get_dr_count(dag_id=self.trigger_dag_id, run_ids=[str(self.trigger_run_id)], states=states)

    def _trigger(self, run_id: str, *, reset: bool) -> None:
        """Ask for the run; one that exists by now is as good."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import TriggerDagRun

        request = TriggerDagRun(dag_id=self.trigger_dag_id, run_id=run_id, conf=self.conf, reset_dag_run=reset)
        task_runner.SUPERVISOR_COMMS.send(request)
        self.log.info("triggered %s run %s", self.trigger_dag_id, run_id)
