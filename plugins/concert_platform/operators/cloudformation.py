"""A stack by change set, in two tasks that a reader of the UI can follow: review, then execute.

Thin: concert_platform.cloudformation does the work, here and on the command line. A retry finds the change set or the
running operation of its predecessor. Both tasks of a stack that has nothing to do are skipped: the stack was not
selected, or nothing would change, or the run is a dry one. Read from the DAG's params: environment, stacks, dry_run,
allow_replacement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.utils.skipmixin import SkipMixin
from airflow.sdk import BaseOperator

from concert_platform.cloudformation import (
    TEMPLATES,
    ChangeSet,
    CloudFormationError,
    Deployment,
    DryRunEndsError,
    MissingOutputError,
    StackBusyError,
    StackTimeoutError,
    load_template,
    validated,
)
from concert_platform.cloudformation.change_report import publish_report
from concert_platform.cloudformation.review import dangers
from concert_platform.cloudformation.templates import ARTIFACTS_PARAMETER, OWNER_OF_ARTIFACTS
from concert_platform.compat import AirflowFailException, AirflowSkipException
from concert_platform.links import ChangeSetReportLink
from concert_platform.operators.fresh_retry import FreshRetryMixin
from concert_platform.partitions import run_slug
from concert_platform.settings import settings
from concert_platform.triggers.cloudformation import StackIdleTrigger
from concert_platform.validate import ValidatorError, cloudformation_templates

if TYPE_CHECKING:
    from airflow.sdk import Context

WAIT_FOR = timedelta(hours=1)
PATIENCE = 3.0  # seconds; a small change is done before a trigger would have been set up
CHANGE_SET = "change_set"  # XCom of a review


def deployment(context: Context) -> Deployment:
    """The deployment of this DAG run: the run id keeps a retry's request the same and the next run's another one.

    :raises AirflowFailException: when the run was meant for another environment
    """
    own, wanted = settings(), context["params"].get("environment")
    if wanted and wanted != own.environment:
        raise AirflowFailException(
            f"this Airflow deploys {own.environment} and nothing else: trigger the DAG in the Airflow of {wanted}"
        )
    return Deployment(own, run=context["run_id"], dry_run=bool(context["params"].get("dry_run")))


@contextmanager
def one_line_failures() -> Iterator[None]:
    """Let a task fail for good where another try of it would fail again, with the library's line as its error."""
    try:
        yield
    except (StackBusyError, StackTimeoutError):
        raise
    except (CloudFormationError, ValidatorError) as error:
        raise AirflowFailException(str(error)) from error


class ValidateTemplatesOperator(BaseOperator):
    """Judge every template before the first stack is touched: the platform's validator, then CloudFormation itself.

    Content that an earlier run has found good is not judged again.
    """

    def execute(self, context: Context) -> None:
        found = deployment(context)
        with one_line_failures():
            bucket, digest = found.report_bucket, validated.content_digest()
            if validated.is_remembered(found.bucket_client, bucket, digest):
                self.log.info("templates and parameters are the ones that were found good before")
                return
            self._lint()
            found.validate_all(TEMPLATES)
            validated.remember(found.bucket_client, bucket, digest, context["run_id"])
        self.log.info("valid: %s", ", ".join(TEMPLATES))

    def _lint(self) -> None:
        found = cloudformation_templates()
        for finding in found:
            self.log.error("%s", finding)
        if found:
            raise CloudFormationError(
                f"{len(found)} findings in templates, the first: {found[0]}; mend them, `python -m "
                "concert_platform.validate cloudformation-templates` lists all"
            )


class PublishArtifactsOperator(BaseOperator):
    """Upload the code bundle, unless this very content is there already or no selected stack takes it.

    :param prefix: of the bundle whose hash the stacks of this run get (templated); files that have changed since then
        make another bundle, which no stack of the run would find
    """

    template_fields: Sequence[str] = ("prefix",)

    def __init__(self, *, prefix: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prefix = prefix

    def execute(self, context: Context) -> str:
        from concert_platform import artifacts

        found, params = deployment(context), context["params"]
        takers = [name for name in params["stacks"] if ARTIFACTS_PARAMETER in load_template(name).parameters]
        if params["dry_run"] or not takers:
            raise AirflowSkipException("a dry run publishes nothing" if takers else "no selected stack takes the code")
        bucket = found.outputs(OWNER_OF_ARTIFACTS).get("ArtifactsBucketName")
        if bucket is None:
            raise AirflowFailException(
                f"{', '.join(takers)} take code from a bucket of {OWNER_OF_ARTIFACTS}: deploy that stack first"
            )
        bundle = artifacts.build()
        if bundle.prefix != self.prefix:
            raise AirflowFailException(
                f"the code has changed during the run, from {self.prefix} to {bundle.prefix}: trigger a new run"
            )
        return artifacts.publish(bucket, bundle)


class ReviewChangesOperator(FreshRetryMixin, BaseOperator, SkipMixin):
    """Work out what would change, show it, and refuse it when data is in danger.

    The change set is in the log as a table, in the XCom ``change_set``, and in S3 as a page that the task's link opens
    (XCom ``report``). Without changes the task that would execute them is skipped, and the XCom ``outputs`` holds the
    stack's outputs. A busy stack is waited for deferrably, and so are the continued rollback of an update that failed
    twice and the deletion of what a failed creation left.

    :param stack: short name of the stack
    :param parameters: values that neither the parameter file nor another stack's outputs have (templated)
    :param wait_for: longest wait for an operation on the stack to end
    """

    template_fields: Sequence[str] = ("parameters",)
    operator_extra_links = (ChangeSetReportLink(),)

    def __init__(
        self, *, stack: str, parameters: Mapping[str, Any] | None = None, wait_for: timedelta = WAIT_FOR, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.parameters = dict(parameters or {})
        self.wait_for = wait_for
        self.report_link = ""

    def execute(self, context: Context) -> None:
        self._review(context)

    def execute_when_ready(self, context: Context, event: dict[str, Any], since: str) -> None:
        self._review(context, since)

    def execute_after_import(self, context: Context, event: dict[str, Any], change_set: dict[str, Any]) -> None:
        self._import(context, deployment(context), ChangeSet(**change_set))
        self._review(context)

    def _review(self, context: Context, since: str = "") -> None:
        params = context["params"]
        if self.stack not in params["stacks"]:
            raise AirflowSkipException(f"{self.stack} is not among the selected stacks")
        found = deployment(context)
        with one_line_failures():
            change_set = self._work_out(context, found, since)
            self._show(context, found, change_set)
            if params["dry_run"]:
                found.discard(change_set)
            elif not params["allow_replacement"]:
                found.check_replacements(change_set)
        if change_set.id is None or params["dry_run"]:
            context["ti"].xcom_push(key="outputs", value=found.outputs(self.stack))
            self.skip(context["ti"], context["task"].get_direct_relatives(upstream=False))
        elif change_set.is_part:
            self._import(context, found, change_set)
            self._review(context)

    def _work_out(self, context: Context, found: Deployment, since: str) -> ChangeSet:
        try:
            if wait := found.prepare(self.stack, since):
                self._defer(wait.stack, "execute_when_ready", since=wait.since)
            return found.create_change_set(self.stack, self.parameters)
        except StackBusyError as busy:
            self._defer(busy.stack, "execute_when_ready", since="")
        except DryRunEndsError as error:
            raise AirflowSkipException(str(error)) from error
        except MissingOutputError as error:
            if context["params"]["dry_run"]:
                raise AirflowSkipException(f"{error}; a dry run cannot look further") from error
            raise

    def _import(self, context: Context, found: Deployment, change_set: ChangeSet) -> None:
        """Take over what an earlier life of the stack has left, which changes none of it."""
        with one_line_failures():
            if not found.execute(change_set) or found.outcome(self.stack, change_set, PATIENCE) is None:
                self._defer(change_set.stack, "execute_after_import", change_set=change_set.to_dict())

    def _defer(self, stack: str, method_name: str, **kwargs: Any) -> NoReturn:
        trigger = StackIdleTrigger(stack=stack)
        self.defer(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=self.wait_for)

    def _show(self, context: Context, found: Deployment, change_set: ChangeSet) -> None:
        for line in change_set.table().splitlines():
            self.log.info("%s", line)
        for danger in dangers(change_set.changes):
            self.log.warning("data is in danger: this would %s", danger)
        context["ti"].xcom_push(key=CHANGE_SET, value=change_set.to_dict())
        run = context["run_id"]
        report = publish_report(
            found.bucket_client, found.report_bucket, self.stack, run, _slug(run, change_set), change_set
        )
        self.report_link = report.link
        self.log.info("report: %s", report.uri)
        context["ti"].xcom_push(key="report", value=report.uri)


def _slug(run: str, change_set: ChangeSet) -> str:
    return f"{run_slug(run)}-import" if change_set.is_part else run_slug(run)


class ExecuteChangesOperator(FreshRetryMixin, BaseOperator):
    """Execute a change set, wait deferrably until the stack is idle again, and return the stack's outputs.

    :param stack: short name of the stack
    :param change_set: XCom ``change_set`` of ReviewChangesOperator (templated)
    :param wait_for: longest wait
    """

    template_fields: Sequence[str] = ("change_set",)

    def __init__(self, *, stack: str, change_set: Any, wait_for: timedelta = WAIT_FOR, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stack = stack
        self.change_set = change_set
        self.wait_for = wait_for

    def execute(self, context: Context) -> dict[str, str]:
        change_set = ChangeSet(**self.change_set)
        with one_line_failures():
            has_begun = deployment(context).execute(change_set)
        return self._finish(context, PATIENCE) if has_begun else self._wait("execute_when_idle")

    def execute_when_idle(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        return self.execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, str]:
        return self._finish(context)

    def _finish(self, context: Context, patience: float = 0.0) -> dict[str, str]:
        change_set = ChangeSet(**self.change_set)
        with one_line_failures():
            outputs = deployment(context).outcome(self.stack, change_set, patience)
        return self._wait("execute_complete") if outputs is None else outputs

    def _wait(self, method_name: str) -> NoReturn:
        trigger = StackIdleTrigger(stack=self.change_set["stack"])
        self.defer(trigger=trigger, method_name=method_name, timeout=self.wait_for)
