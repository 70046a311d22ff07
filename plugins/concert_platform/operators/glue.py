"""Glue job runs that a retry goes on with instead of starting them again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from botocore.exceptions import BotoCoreError, ClientError

from concert_platform import glue_runs
from concert_platform.compat import AirflowException, AirflowFailException
from concert_platform.load_outcome import ERROR_KEY
from concert_platform.metrics import publish_job_run
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.triggers.glue import ACTIVE, GlueJobRunTrigger, job_runs, stop_run

if TYPE_CHECKING:
    from airflow.sdk import Context

TOKEN_ARGUMENT = "--run_token"  # noqa: S105 - names a request, opens nothing
# An error of this name in a run's message is about the data: trying again does not cure it.
DATA_ERROR = "CurationError"
FIGURES_KEY, RUN_KEY = "figures", "job_run_id"


class GlueJobRunError(AirflowException):
    """A Glue job run has failed or was stopped."""


class RunGlueJobOperator(FreshRetryMixin, GlueJobOperator):
    """GlueJobOperator that starts an existing job, waits deferrably, and whose retry reattaches; returns the run's id.

    StartJobRun takes no token, so the run carries one among its arguments, and a retry looks for it among the job's
    runs: one under way is waited for, one that succeeded is taken as it is, after one that failed a new one is started.
    The script's address and the arguments belong to the token: clearing the task after a fix was deployed runs the new
    script, and one that is asked for other partitions than before does not take the run of those for its own. While
    another run holds the job, the operator waits for it.

    The XComs ``error`` and ``job_run_id`` of a failed task are the run's error as one line and its id; the task's log
    has the end of the run's. The XCom ``figures`` has the run's seconds and DPU-seconds, which CloudWatch gets too.

    :param job_name: name of the job (templated)
    :param script_args: ``--NAME`` to text (templated)
    :param log_groups: log groups of the job's runs, separated by commas (templated)
    :param poll_interval: seconds between two looks at the run
    """

    template_fields: Sequence[str] = (*GlueJobOperator.template_fields, "log_groups")
    stale_xcoms = (ERROR_KEY, RUN_KEY)

    def __init__(self, *, log_groups: str = "", poll_interval: float = 1.0, **kwargs: Any) -> None:
        super().__init__(deferrable=True, stop_job_run_on_kill=True, **kwargs)
        self.log_groups = log_groups
        self.poll_interval = poll_interval

    def execute(self, context: Context) -> Any:
        token = self._token(context)
        found = next(
            (run for run in job_runs(self.job_name) if run.get("Arguments", {}).get(TOKEN_ARGUMENT) == token), {}
        )
        state = found.get("JobRunState")
        if state == "SUCCEEDED":
            self.log.info("run %s of %s has already succeeded", found["Id"], self.job_name)
            return found["Id"]
        if state in ACTIVE and state != "STOPPING":  # what is being stopped holds the job, and will not succeed
            self.log.info("run %s of %s is under way: waiting for it", found["Id"], self.job_name)
            self._job_run_id = found["Id"]
        else:
            self._job_run_id = self._start(token)
        return self.defer(
            trigger=GlueJobRunTrigger(
                job_name=self.job_name, run_id=self._job_run_id, poll_interval=self.poll_interval
            ),
            method_name="execute_complete",
        )

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        run = event or {}
        if run.get("run_id") is None:  # the job is free now
            return self.execute(context)
        self._note_figures(run["run_id"], context)
        if run["state"] == "SUCCEEDED":
            return run["run_id"]
        self._show_log(run["run_id"])
        reason = " ".join(run["reason"].split()) or "no reason given"
        message = f"Glue job {self.job_name} run {run['run_id']} ended as {run['state']}: {reason}"
        context["ti"].xcom_push(key=ERROR_KEY, value=message)
        context["ti"].xcom_push(key=RUN_KEY, value=run["run_id"])
        if DATA_ERROR in reason:
            raise AirflowFailException(message)
        raise GlueJobRunError(message)

    def _note_figures(self, run_id: str, context: Context) -> None:
        found = glue_runs.figures(self.job_name, run_id)
        self.log.info("run %s took %d s, %d DPU-seconds", run_id, found["seconds"], found["dpu_seconds"])
        context["ti"].xcom_push(key=FIGURES_KEY, value=found)
        publish_job_run(self.job_name, found)

    def _show_log(self, run_id: str) -> None:
        """Bring the end of the run's log here: whoever reads why the task failed need not look elsewhere."""
        groups = [name for name in self.log_groups.split(",") if name]
        try:
            for line in glue_runs.last_log_lines(groups, run_id):
                self.log.error("%s | %s", run_id[:12], line)
        except (BotoCoreError, ClientError) as error:
            self.log.warning("the log of run %s in %s is not shown: %s", run_id, ", ".join(groups), error)

    def on_kill(self) -> None:
        if self._job_run_id:
            stop_run(self.job_name, self._job_run_id)

    def _start(self, token: str) -> str | None:
        """Start a run; None while another one holds the job."""
        arguments = {**self.script_args, TOKEN_ARGUMENT: token}
        client = self.hook.conn
        try:
            run_id = client.start_job_run(JobName=self.job_name, Arguments=arguments, **self.run_job_kwargs)["JobRunId"]
        except client.exceptions.ConcurrentRunsExceededException:
            self.log.info("%s is held by another run: waiting for its end", self.job_name)
            return None
        self.log.info("started run %s of %s", run_id, self.job_name)
        return run_id

    def _token(self, context: Context) -> str:
        ti: Any = context["ti"]
        script = self.hook.conn.get_job(JobName=self.job_name)["Job"]["Command"]["ScriptLocation"]
        asked = json.dumps(self.script_args, sort_keys=True)
        parts = (ti.dag_id, ti.task_id, ti.run_id, str(ti.map_index), script, asked)
        return sha256(":".join(parts).encode()).hexdigest()


def error_of(ti: Any, task_id: str) -> str:
    """Error of a failed RunGlueJobOperator of the same DAG run."""
    return (
        ti.xcom_pull(task_ids=task_id, key=ERROR_KEY) or f"no Glue run has failed; look at the tasks around {task_id}"
    )


__all__: Sequence[str] = ("DATA_ERROR", "ERROR_KEY", "RUN_KEY", "GlueJobRunError", "RunGlueJobOperator", "error_of")
