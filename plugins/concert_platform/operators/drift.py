"""Drift of the stacks: detect it in each, write one report, tell the operators.

Thin: concert_platform.cloudformation.drift does the work. None of the tasks changes a resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.cloudformation import Deployment, Stack
from concert_platform.cloudformation.drift import StackDrift, alert, read_drift, readable, report, without_detection
from concert_platform.cloudformation.report_files import save
from concert_platform.cloudformation.stacks import is_busy
from concert_platform.cloudformation.stateful import clients_of
from concert_platform.compat import AirflowException, AirflowFailException, AirflowSkipException
from concert_platform.notifications import TOPIC_OUTPUT
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.partitions import run_slug
from concert_platform.settings import settings
from concert_platform.triggers.cloudformation import StackIdleTrigger
from concert_platform.triggers.drift import DriftDetectionTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

NO_RESULT = "its detection has failed, see the log of detect_drift"


def report_path(kind: str, context: Context) -> str:
    """Where a run's report lies below reports/: the day on which the run became due, then the run."""
    run: Any = context["dag_run"]
    return f"{kind}/{run.run_after.date().isoformat()}/{run_slug(run.run_id)}"


class DetectDriftOperator(FreshRetryMixin, BaseOperator):
    """Let CloudFormation compare one stack with its template; returns StackDrift as a dictionary.

    A stack that is not deployed has no drift; one that is busy, or compared for somebody else, is waited for.

    :param stack: short name of the stack
    :param wait_for: longest wait for the stack, and for the detection
    """

    def __init__(self, *, stack: str, wait_for: timedelta = timedelta(minutes=30), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.wait_for = wait_for

    def execute(self, context: Context) -> dict[str, Any]:
        stack = self._stack(context)
        status = stack.status()
        if is_busy(status):
            return self.defer(
                trigger=StackIdleTrigger(stack=stack.name), method_name="detect_when_idle", timeout=self.wait_for
            )
        return self._detect(stack, status)

    def detect_when_idle(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        return self._detect(self._stack(context), event["status"])

    def _detect(self, stack: Stack, status: str) -> dict[str, Any]:
        if found := without_detection(stack.name, status):
            self.log.info("%s is %s: there is nothing to compare", stack.name, status)
            return found.to_dict()
        return self.defer(
            trigger=DriftDetectionTrigger(stack=stack.name), method_name="execute_complete", timeout=self.wait_for
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        if "error" in event:
            raise AirflowException(event["error"])
        found = read_drift(self._stack(context), event)
        for line in readable([found]).splitlines():
            self.log.info("%s", line)
        return found.to_dict()

    def _stack(self, context: Context) -> Stack:
        return Deployment(settings(), run=context["run_id"]).stack(self.stack)


class ReportDriftOperator(BaseOperator):
    """Write the report of all stacks to the environment's bucket; returns the report with its address.

    Runs whatever has become of the detections: a stack without a result is in the report as UNKNOWN. Skipped when there
    is no bucket, since the run was skipped then.

    :param stacks: short names of the stacks
    :param drifts: results of DetectDriftOperator (templated)
    """

    template_fields: Sequence[str] = ("drifts",)

    def __init__(self, *, stacks: Sequence[str], drifts: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stacks = list(stacks)
        self.drifts = drifts

    def execute(self, context: Context) -> dict[str, Any]:
        run: Any = context["dag_run"]
        bucket = Deployment(settings(), run=run.run_id).environment_bucket
        if bucket is None:
            raise AirflowSkipException("orchestration is not deployed: there is nothing to report, and no place for it")
        found = {item["stack"]: StackDrift.from_dict(item) for item in self.drifts or [] if item}
        names = [settings().stack(name) for name in self.stacks]
        stacks = [found.get(name) or StackDrift(name, "UNKNOWN", failure=NO_RESULT) for name in names]
        document = report(stacks, environment=settings().environment, due_at=run.run_after.isoformat())
        text = readable(stacks)
        for line in text.splitlines():
            self.log.info("%s", line)
        address = save(clients_of(settings()), bucket, report_path("drift", context), document, text)
        self.log.info("report: %s", address)
        return {**document, "address": address}


class AlertOnDriftOperator(BaseOperator):
    """Send one message to the alert topic when anything has drifted; returns the message's id.

    :param report: result of ReportDriftOperator (templated)
    """

    template_fields: Sequence[str] = ("report",)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def execute(self, context: Context) -> str | None:
        if not self.report["differences"]:
            self.log.info("nothing has drifted: nobody is told")
            return None
        found = Deployment(settings(), run=context["run_id"])
        topic = found.outputs("monitoring").get(TOPIC_OUTPUT)
        if topic is None:
            self.log.warning("monitoring is not deployed, so there is no topic to tell; see %s", self.report["address"])
            return None
        return clients_of(settings())("sns").publish(TopicArn=topic, **alert(self.report))["MessageId"]


class CheckDriftOperator(BaseOperator):
    """Fail after a detection that was incomplete and, when asked to, after any drift.

    :param report: result of ReportDriftOperator (templated)
    """

    template_fields: Sequence[str] = ("report",)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def execute(self, context: Context) -> None:
        address = self.report["address"]
        failures = [f"{stack['stack']}: {stack['failure']}" for stack in self.report["stacks"] if stack["failure"]]
        if failures:
            raise AirflowFailException(f"drift was not detected everywhere: {'; '.join(failures)}; report: {address}")
        if self.report["differences"] and context["params"]["fail_on_drift"]:
            raise AirflowFailException(
                f"{self.report['differences']} differences in {', '.join(self.report['drifted_stacks'])}: set the "
                f"template's values again, or take the changes into the template; report: {address}"
            )
