"""A stack by change set, in three tasks that a reader of the UI can follow: work out, review, execute.

Thin: concert_platform.cloudformation does the work, here and on the command line. A retry finds the change set or the
running operation of its predecessor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from concert_platform.cloudformation import (
    ChangeSet,
    ChangeSetError,
    CloudFormationError,
    Deployment,
    ParameterError,
    StackFailedError,
)
from concert_platform.compat import AirflowFailException
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.settings import settings
from concert_platform.triggers.cloudformation import StackIdleTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


def deployment(context: Context) -> Deployment:
    """The deployment of this DAG run: the run id keeps a retry's request the same and the next run's another one."""
    return Deployment(settings(), run=context["run_id"])


class ValidateTemplatesOperator(BaseOperator):
    """Let CloudFormation read every template before the first stack is touched.

    :param templates: short names of stacks
    """

    def __init__(self, *, templates: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.templates = list(templates)

    def execute(self, context: Context) -> None:
        found = deployment(context)
        try:
            for name in self.templates:
                found.validate(name)
                self.log.info("%s: valid", name)
        except CloudFormationError as error:
            raise AirflowFailException(str(error)) from error


class CreateChangeSetOperator(BaseOperator):
    """Work out what would change; returns the change set as a dictionary, whose id is None when nothing would.

    :param stack: short name of the stack
    :param parameters: values that neither the parameter file nor another stack's outputs have (templated)
    """

    template_fields: Sequence[str] = ("parameters",)

    def __init__(self, *, stack: str, parameters: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.parameters = dict(parameters or {})

    def execute(self, context: Context) -> dict[str, Any]:
        try:
            return deployment(context).create_change_set(self.stack, self.parameters).to_dict()
        except (ChangeSetError, ParameterError) as error:
            raise AirflowFailException(str(error)) from error


class ReviewChangeSetOperator(BaseOperator):
    """Show a change set as a table in the log; returns the number of resources by action.

    :param change_set: result of CreateChangeSetOperator (templated)
    """

    template_fields: Sequence[str] = ("change_set",)

    def __init__(self, *, change_set: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.change_set = change_set

    def execute(self, context: Context) -> dict[str, int]:
        change_set = ChangeSet(**self.change_set)
        for line in change_set.table().splitlines():
            self.log.info("%s", line)
        actions = [change["action"] for change in change_set.changes]
        return {action: actions.count(action) for action in sorted(set(actions))}


class ExecuteChangeSetOperator(FreshRetryMixin, BaseOperator):
    """Execute a change set, wait deferrably until the stack is idle again, and return the stack's outputs.

    :param stack: short name of the stack
    :param change_set: result of CreateChangeSetOperator (templated)
    :param wait_for: longest wait
    """

    template_fields: Sequence[str] = ("change_set",)

    def __init__(self, *, stack: str, change_set: Any, wait_for: timedelta = timedelta(hours=1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.change_set = change_set
        self.wait_for = wait_for

    def execute(self, context: Context) -> dict[str, str]:
        found, change_set = deployment(context), ChangeSet(**self.change_set)
        if change_set.id is None:
            return found.outputs(self.stack)
        try:
            found.execute(change_set)
        except StackFailedError as error:
            raise AirflowFailException(str(error)) from error
        return self.defer(
            trigger=StackIdleTrigger(stack=change_set.stack), method_name="execute_complete", timeout=self.wait_for
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        found = deployment(context)
        try:
            found.stack(self.stack).check_succeeded(event["status"])
        except StackFailedError as error:
            # Rolled back: the same change set would fail again, and cannot be executed twice.
            raise AirflowFailException(str(error)) from error
        return found.outputs(self.stack)
