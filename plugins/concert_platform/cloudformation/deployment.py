"""Deploy one stack of an environment: make it ready, change set, execution, outputs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from concert_platform.cloudformation.changes import (
    COMPLETE,
    ChangeSet,
    create_change_set,
    execute_change_set,
    execution_status,
    find_change_set,
    is_of_run,
    is_running,
)
from concert_platform.cloudformation.errors import (
    ChangeSetError,
    CloudFormationError,
    DryRunEndsError,
    StackBusyError,
    StackFailedError,
    StackTimeoutError,
    UnderReviewError,
    one_line,
)
from concert_platform.cloudformation.lake import LAKE_STACK, check_lake_defaults
from concert_platform.cloudformation.request import (
    BUCKET,
    BUCKET_OUTPUT,
    change_set_request,
    is_part,
    template_argument,
)
from concert_platform.cloudformation.retained import Retained, import_request, not_imported, to_import
from concert_platform.cloudformation.review import check_replacements
from concert_platform.cloudformation.stacks import (
    EMPTY_STACK_SECONDS,
    ORCHESTRATION,
    REVIEW,
    STUCK,
    WAIT_SECONDS,
    Stack,
    is_busy,
    is_ready,
    pauses,
    service_role,
)
from concert_platform.cloudformation.stateful import clients_of
from concert_platform.cloudformation.templates import load_template
from concert_platform.settings import Settings

logger = logging.getLogger(__name__)

ENDS_IN_FAILURE = (STUCK, "DELETE_FAILED")
# A run executes its change set within a minute after the review; one that is older was abandoned.
REVIEW_LIFETIME = timedelta(minutes=15)


@dataclass(frozen=True)
class Wait:
    """An operation on a stack that has to end before a change set can be created.

    :param stack: name of the stack, or id of one that is being deleted
    :param since: newest event before Deployment.prepare() started the operation; "" when others have started it
    """

    stack: str
    since: str = ""


class Deployment:
    """The stacks of one environment, as one run deploys them.

    :param run: names the run (an Airflow run id, a time): two tries of one run are the same request to CloudFormation
    :param dry_run: touch nothing but change sets of this run and the empty stacks that they make
    """

    def __init__(self, settings: Settings, *, run: str, dry_run: bool = False) -> None:
        self.settings = settings
        self.run = run
        self.dry_run = dry_run

    @cached_property
    def client(self) -> Any:
        import boto3

        return boto3.client("cloudformation", region_name=self.settings.region)

    @cached_property
    def bucket_client(self) -> Any:
        import boto3
        from botocore.config import Config

        # A signed link to an object under a KMS key needs the newer signature, and the region in its host name.
        config = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
        return boto3.client("s3", region_name=self.settings.region, config=config)

    @property
    def environment_bucket(self) -> str | None:
        """Bucket of the MWAA environment, which exists before any DAG runs."""
        stack = self.stack(ORCHESTRATION)
        # An import brings the bucket back without outputs.
        return stack.outputs().get(BUCKET_OUTPUT) or stack.physical_id(BUCKET)

    @property
    def report_bucket(self) -> str:
        """:raises CloudFormationError: when there is no environment yet"""
        bucket = self.environment_bucket
        if bucket is None:
            raise CloudFormationError("there is no bucket for reports: deploy orchestration with deploy_stacks.sh")
        return bucket

    def stack(self, name: str) -> Stack:
        return self._stack(self.settings.stack(name))

    def _stack(self, full_name: str) -> Stack:
        return Stack(self.client, full_name, service_role(self.settings, full_name))

    def outputs(self, name: str) -> dict[str, str]:
        return self.stack(name).outputs()

    # ---------------------------------------------------------------- one step after the other

    def validate(self, name: str) -> None:
        """Let CloudFormation read a template.

        :raises CloudFormationError: when it refuses it
        """
        from botocore.exceptions import ClientError

        try:
            self.client.validate_template(**template_argument(self, load_template(name)))
        except ClientError as error:
            raise CloudFormationError(f"template {name}: {one_line(error.response['Error']['Message'])}") from error

    def validate_all(self, names: Sequence[str]) -> None:
        """Let CloudFormation read several templates side by side.

        :raises CloudFormationError: with what it says of each template that it refuses
        """
        _ = self.client, self.bucket_client  # a session must not make clients in two threads at once

        def problem(name: str) -> str:
            try:
                self.validate(name)
            except CloudFormationError as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            problems = [found for found in pool.map(problem, names) if found]
        if problems:
            raise CloudFormationError("; ".join(problems))

    def prepare(self, name: str, since: str = "") -> Wait | None:
        """Bring a stack into a state that a change set can start from; None when it is in one.

        Starts what that takes (continue a failed rollback, delete what a failed creation left) and says what to wait
        for; afterwards call it again with the Wait's `since`.

        :raises StackFailedError: when what it started has failed
        :raises DryRunEndsError: when a dry run would have to start something
        """
        stack = self.stack(name)
        status = stack.status()
        if is_busy(status):
            logger.info("%s is %s: waiting for its end", stack.name, status)
            return Wait(stack.name, since)
        if is_ready(status):
            return None
        if self.dry_run:
            step = "continue its rollback" if status == STUCK else "delete it"
            raise DryRunEndsError(f"stack {stack.name} is {status}: a real run would {step} first")
        newest = stack.newest_event()
        if since == newest:  # what was started has not begun yet
            return Wait(stack.name, since)
        if since and status in ENDS_IN_FAILURE:
            raise StackFailedError(_failed_again(stack, status))
        token = _token(self.run, newest)
        if status == STUCK:
            logger.info("%s is %s: continuing its rollback", stack.name, status)
            stack.continue_rollback(token)
            return Wait(stack.name, newest)
        logger.info("%s is %s: deleting what is left of it", stack.name, status)
        return Wait(stack.start_deletion(token) or stack.name, newest)

    def create_change_set(self, name: str, overrides: Mapping[str, str] | None = None) -> ChangeSet:
        """Work out what would change on a stack that prepare() has found ready.

        The result is a part, such as the import of what an earlier life of a new stack has left, when the rest of the
        template can only follow: execute it, wait, and call this again.

        :param name: short name of the stack
        :param overrides: parameter values that neither the file nor another stack knows; the ones that the template
            does not have are left out
        :raises StackBusyError: when the stack is no longer ready: prepare() it again
        :raises UnderReviewError: when a new stack waits for the execution of another run's change set
        :raises ChangeSetError: when CloudFormation refuses the template or its parameters
        :raises DryRunEndsError: when a dry run would have to delete what another run has left
        """
        if name == LAKE_STACK:
            check_lake_defaults(clients_of(self.settings)("lakeformation"))
        template, stack = load_template(name), self.stack(name)
        if not is_ready(status := stack.status()):
            raise StackBusyError(stack.name, status)
        request = change_set_request(self, template, overrides or {})
        if request["ChangeSetType"] == "CREATE":
            found = to_import(clients_of(self.settings), self.settings, template, request)
            if found:
                return self._import(import_request(template, request, found), found)
        created = self._create(request)
        return replace(created, is_part=is_part(template, request))

    def _import(self, request: dict[str, Any], found: Sequence[Retained]) -> ChangeSet:
        logger.info("%s: importing what was retained: %s", request["StackName"], ", ".join(map(str, found)))
        try:
            return self._create(request)
        except ChangeSetError as error:
            raise ChangeSetError(not_imported(found, str(error))) from error

    def _create(self, request: dict[str, Any]) -> ChangeSet:
        stack = self._stack(request["StackName"])
        if stack.status() == REVIEW and find_change_set(self.client, request, self.run) is None:
            self._clear_review(stack)
        try:
            return create_change_set(self.client, request, self.run)
        except ChangeSetError:
            if stack.status() == REVIEW:  # a new stack of which nothing was created
                self._clear(stack, EMPTY_STACK_SECONDS)
            raise

    def _clear_review(self, stack: Stack) -> None:
        """Make room in a stack that waits for the execution of another request, but for one of a run that may live."""
        described = stack.describe() or {}
        made = described.get("CreationTime", datetime.min.replace(tzinfo=UTC))
        if not is_of_run(described.get("ChangeSetId", ""), self.run):
            lives = datetime.now(UTC) - made < REVIEW_LIFETIME
            waits = f"stack {stack.name} is {REVIEW} since {made:%H:%M:%S} UTC, for another run"
            if self.dry_run:
                raise DryRunEndsError(f"{waits}: a real run would {'be refused' if lives else 'delete it first'}")
            if lives:
                raise UnderReviewError(
                    f"{waits}: let that run execute its change set, or deploy again {REVIEW_LIFETIME.seconds // 60} "
                    "minutes after its review, when the stack is deleted as abandoned"
                )
        logger.info("%s waits for a change set that nobody will execute: deleting it", stack.name)
        self._clear(stack, EMPTY_STACK_SECONDS)

    def discard(self, change_set: ChangeSet) -> None:
        """Delete a change set that nobody will execute, and the empty stack that it was to fill."""
        stack = self._stack(change_set.stack)
        if change_set.id is not None:
            self.client.delete_change_set(ChangeSetName=change_set.id, StackName=change_set.stack)
        if stack.status() == REVIEW:
            self._clear(stack, EMPTY_STACK_SECONDS)

    def execute(self, change_set: ChangeSet) -> bool:
        """Start a change set; see outcome() for its end. False while another operation holds the stack.

        :raises ChangeSetError: when the stack was changed since the review
        :raises StackFailedError: when it was executed before and failed
        """
        if change_set.id is None:
            return True
        if is_busy(Stack(self.client, change_set.stack).status()) and not is_running(self.client, change_set):
            return False
        try:
            execute_change_set(self.client, change_set)
        except StackBusyError:
            return False
        return True

    def outcome(self, name: str, change_set: ChangeSet, patience: float = 0.0) -> dict[str, str] | None:
        """Outputs of a stack whose change set is executed; None while CloudFormation is at work on it.

        :param patience: seconds to wait for the end
        :raises StackFailedError: when CloudFormation rolled back, whatever others have made of the stack since
        """
        stack, deadline = self.stack(name), time.monotonic() + patience
        for pause in pauses():
            status = stack.status()
            if not is_busy(status) and not is_running(self.client, change_set):
                break
            if time.monotonic() + pause > deadline:
                return None
            time.sleep(pause)
        stack.check_succeeded(status)
        if (state := execution_status(self.client, change_set)) != COMPLETE:
            raise StackFailedError(
                f"the change set of stack {stack.name} is {state}, and others have changed the stack since: look at "
                "its events in the console, then deploy again"
            )
        return stack.outputs()

    # ---------------------------------------------------------------- all steps, blocking

    def deploy(
        self, name: str, overrides: Mapping[str, str] | None = None, *, allow_replacement: bool = False
    ) -> dict[str, str]:
        """Bring one stack up to date and return its outputs.

        A large orchestration template passes through the bucket that it makes: the bucket comes first, then the rest.

        :raises ReplacementRefusedError: when a resource that holds data would be replaced or removed
        :raises StackFailedError: when CloudFormation rolled back
        """
        change_set = self._create_when_ready(name, overrides)
        logger.info("%s", change_set.table())
        if change_set.id is None:
            return self.outputs(name)
        if not allow_replacement:
            self.check_replacements(change_set)
        stack = self.stack(name)
        while not self.execute(change_set):
            stack.wait_until_idle()
        outputs = self.outcome(name, change_set, WAIT_SECONDS)
        if outputs is None:
            raise StackTimeoutError(f"stack {stack.name} is still busy after {WAIT_SECONDS:.0f} s: look at its events")
        return self.deploy(name, overrides, allow_replacement=allow_replacement) if change_set.is_part else outputs

    def check_replacements(self, change_set: ChangeSet) -> None:
        """Discard a change set that endangers data.

        :raises ReplacementRefusedError: naming each resource and property
        """
        try:
            check_replacements(change_set.stack, change_set.changes)
        except CloudFormationError:
            self.discard(change_set)
            raise

    def destroy(self, name: str) -> None:
        stack = self.stack(name)
        stack.wait_until_idle()
        self._clear(stack)

    # ---------------------------------------------------------------- helpers

    def _create_when_ready(self, name: str, overrides: Mapping[str, str] | None) -> ChangeSet:
        deadline = time.monotonic() + WAIT_SECONDS
        for pause in pauses():
            self._wait_until_ready(name)
            try:
                return self.create_change_set(name, overrides)
            except StackBusyError as busy:
                if time.monotonic() > deadline:
                    raise StackTimeoutError(str(busy)) from busy
            time.sleep(pause)
        raise AssertionError("pauses() does not end")

    def _wait_until_ready(self, name: str) -> None:
        since, deadline = "", time.monotonic() + WAIT_SECONDS
        while wait := self.prepare(name, since):
            Stack(self.client, wait.stack).wait_until_idle(deadline - time.monotonic())
            if wait.since == since:
                time.sleep(next(pauses()))
            since = wait.since

    def _clear(self, stack: Stack, timeout: float = WAIT_SECONDS) -> None:
        """Delete a stack and wait. A retry sends the same token, and so the same request."""
        stack.delete(_token(self.run, (stack.describe() or {}).get("StackId", "")), timeout)


def _token(*parts: str) -> str:
    return sha256(":".join(parts).encode()).hexdigest()[:32]


def _failed_again(stack: Stack, status: str) -> str:
    if status == STUCK:
        return f"stack {stack.name} is {status} again after its rollback was continued: {stack.rollback_failure()}"
    return f"stack {stack.name} could not be deleted: {stack.first_failure()}"
