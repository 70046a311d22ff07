"""Take the environment down: check the request, delete each stack, delete what is retained when asked to, report.

Thin: concert_platform.cloudformation.teardown does the work, and refuses in every task what it refuses in the first. A
retry looks at what is there now and goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.cloudformation import Deployment, StackFailedError
from concert_platform.cloudformation.report_files import save
from concert_platform.cloudformation.retained import Retained
from concert_platform.cloudformation.stacks import is_busy
from concert_platform.cloudformation.teardown import Teardown, TeardownRefusedError, readable, report
from concert_platform.compat import AirflowException, AirflowFailException
from concert_platform.operators.drift import report_path
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.settings import settings
from concert_platform.triggers.cloudformation import StackIdleTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


def teardown(context: Context) -> Teardown:
    """The teardown that this DAG run asks for.

    :raises AirflowFailException: when the library refuses it
    """
    try:
        return Teardown(settings(), confirm=context["params"]["confirm"], run=context["run_id"])
    except TeardownRefusedError as error:
        raise AirflowFailException(str(error)) from error


class CheckTeardownOperator(BaseOperator):
    """Refuse a teardown that is not confirmed by the environment's name, or is of a protected environment.

    Returns what holds something and will be lost with its stack: afterwards no stack can tell.
    """

    def execute(self, context: Context) -> list[dict[str, str]]:
        found = teardown(context)
        self.log.info("to be deleted: %s", ", ".join(found.standing()) or "nothing, all stacks are gone")
        losses = found.losses()
        for row in losses:
            self.log.info("lost with %s: %s %s (%s)", row["stack"], row["type"], row["name"], row["note"])
        return losses


class DeleteStackOperator(FreshRetryMixin, BaseOperator):
    """Delete one stack and wait deferrably; returns what it has left, as dictionaries.

    :param stack: short name of the stack
    :param wait_for: longest wait for an operation of somebody else, and for the deletion
    """

    def __init__(self, *, stack: str, wait_for: timedelta = timedelta(hours=1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.wait_for = wait_for

    def execute(self, context: Context) -> list[dict[str, str]]:
        found = teardown(context)
        described = found.stack(self.stack).describe() or {}
        status = described.get("StackStatus", "")
        if status == "DELETE_IN_PROGRESS":  # a predecessor of this try was killed
            return self._wait(described["StackId"], "execute_complete")
        if is_busy(status):
            return self._wait(described["StackId"], "delete_when_idle")
        return self._delete(found)

    def delete_when_idle(self, context: Context, event: dict[str, Any]) -> list[dict[str, str]]:
        return self._delete(teardown(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[dict[str, str]]:
        return self._finish(teardown(context), event["stack"])

    def _delete(self, found: Teardown) -> list[dict[str, str]]:
        stack_id = found.start(self.stack)
        return self._wait(stack_id, "execute_complete") if stack_id else self._finish(found, None)

    def _wait(self, stack_id: str, method: str) -> list[dict[str, str]]:
        return self.defer(trigger=StackIdleTrigger(stack=stack_id), method_name=method, timeout=self.wait_for)

    def _finish(self, found: Teardown, stack_id: str | None) -> list[dict[str, str]]:
        try:
            left = found.finish(self.stack, stack_id)
        except StackFailedError as error:
            raise AirflowException(str(error)) from error
        self.log.info("%s is gone; it leaves %s", self.stack, ", ".join(map(str, left)) or "nothing")
        return [item.to_dict() for item in left]


class DeleteRetainedOperator(BaseOperator):
    """With `delete_data`, delete what outlived the stacks; without, leave it to the next deployment."""

    def execute(self, context: Context) -> None:
        found = teardown(context)
        if not context["params"]["delete_data"]:
            self.log.info("delete_data is not set: what holds data or keys is kept, and the next deployment imports it")
            return
        failures = found.delete_retained()
        if failures:
            raise AirflowException(f"not deleted: {'; '.join(failures)}")


class ReportTeardownOperator(BaseOperator):
    """Say by name what was kept, deleted and lost, in the log, an XCom and the environment's bucket.

    Runs whatever has become of the others, and fails when a stack, or with `delete_data` anything at all, is left.

    :param left: results of the DeleteStackOperators (templated)
    :param losses: result of CheckTeardownOperator (templated)
    """

    template_fields: Sequence[str] = ("left", "losses")

    def __init__(self, *, left: Iterable[Any], losses: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.left = list(left)
        self.losses = losses

    def execute(self, context: Context) -> None:
        found = teardown(context)
        rows = found.rows([Retained(**item) for items in self.left for item in items or []], self.losses or [])
        standing = found.standing()
        document, text = report(rows, environment=settings().environment, standing=standing), readable(rows)
        for line in text.splitlines():
            self.log.info("%s", line)
        context["ti"].xcom_push(key="report", value=document)
        bucket = Deployment(settings(), run=context["run_id"]).report_bucket
        address = save(found.clients, bucket, report_path("teardown", context), document, text)
        self.log.info("report: %s", address)
        remains = [*standing, *(row["name"] for row in document["kept"] if context["params"]["delete_data"])]
        if remains:
            raise AirflowFailException(f"still there: {', '.join(remains)}; clear the failed tasks to go on")
