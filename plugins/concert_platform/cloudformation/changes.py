"""Change sets: created under a deterministic name, so that a retry finds the one of its predecessor."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from concert_platform.cloudformation.errors import (
    ChangeSetError,
    StackBusyError,
    StackFailedError,
    StackTimeoutError,
)
from concert_platform.cloudformation.review import COLUMNS, count_actions, summarize
from concert_platform.cloudformation.stacks import Stack, is_ready, pauses
from concert_platform.cloudformation.tables import table

WAIT_SECONDS = 120.0  # a worker is busy that long; the next try of the task finds the change set and goes on
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
AVAILABLE = "AVAILABLE"
RUNNING = "EXECUTE_IN_PROGRESS"
OBSOLETE = "OBSOLETE"
COMPLETE = "EXECUTE_COMPLETE"
NOT_FOUND = ("ChangeSetNotFound", "ChangeSetNotFoundException")
PENDING = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
IMPORT = "IMPORT"
NOT_READY = re.compile(r" is in (?P<status>[A-Z_]+) state and can ?not be updated")


@dataclass(frozen=True)
class ChangeSet:
    """A change set that CloudFormation has worked out; one without changes has no id.

    :param stack: full name of the stack
    :param changes: rows of review.summarize()
    :param type: CREATE, UPDATE or IMPORT
    :param is_part: whether it brings a part of the template, and the rest has to follow
    """

    stack: str
    id: str | None
    changes: list[dict[str, str]] = field(default_factory=list)
    type: str = "UPDATE"
    is_part: bool = False

    @property
    def token(self) -> str:
        """Client request token of the execution: a change set is executed once."""
        return sha256((self.id or "").encode()).hexdigest()[:32]

    @property
    def title(self) -> str:
        if self.id is None:
            return f"{self.stack}: no changes"
        return f"{self.stack}: {self.type.lower()}, {len(self.changes)} changes ({count_actions(self.changes)})"

    def table(self) -> str:
        """What would change, one line a resource, for the log."""
        return "\n".join([self.title, *(table(self.changes, COLUMNS) if self.changes else [])])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def request_digest(request: dict[str, Any], run: str) -> str:
    """Name one logical request: the same template, parameters, tags and run give the same 32 hex characters."""
    text = json.dumps([request, run], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


def find_change_set(client: Any, request: dict[str, Any], run: str) -> dict[str, Any] | None:
    """The change set that an earlier try of the same request created, if it is still there."""
    return _describe(client, request["StackName"], _name(request, run))


def create_change_set(client: Any, request: dict[str, Any], run: str) -> ChangeSet:
    """Create a change set, or find the one that a predecessor created with the same request, and wait for it.

    Its name is the token of the request: a second CreateChangeSet of that name is refused by CloudFormation.

    :param request: arguments of CreateChangeSet without name
    :param run: what makes a request of today another one than that of yesterday
    :raises ChangeSetError: when CloudFormation refuses the template or its parameters
    :raises StackBusyError: when another operation has begun on the stack
    """
    stack, name = request["StackName"], _name(request, run)
    found = _describe(client, stack, name)
    if found and found["ExecutionStatus"] != AVAILABLE and found["Status"] not in PENDING:
        # Executed before: what it found out is no longer true.
        client.delete_change_set(ChangeSetName=found["ChangeSetId"], StackName=stack)
        found = None
    if found is None:
        _create(client, {**request, "ChangeSetName": name})
    found = _wait(client, stack, name)
    if found["Status"] == "FAILED":
        return _failed(client, stack, found)
    rows = summarize(_all_changes(client, stack, found))
    kind = request["ChangeSetType"]
    return ChangeSet(stack, found["ChangeSetId"], rows, kind, is_part=kind == IMPORT)


def execute_change_set(client: Any, change_set: ChangeSet) -> None:
    """Start a change set; one that is under way or done already is left alone.

    :raises ChangeSetError: when the stack was changed since
    :raises StackBusyError: when another operation has begun on the stack
    :raises StackFailedError: when it was executed before and failed
    """
    if change_set.id is None:
        return
    state = execution_status(client, change_set)
    if state == AVAILABLE:
        state = _start(client, change_set)
    if state == OBSOLETE:
        raise ChangeSetError(
            f"stack {change_set.stack} was changed by others since its change set was reviewed: deploy again"
        )
    if state not in (RUNNING, COMPLETE):
        reason = Stack(client, change_set.stack).first_failure()
        raise StackFailedError(f"the change set of stack {change_set.stack} is {state}: {reason}")


def _start(client: Any, change_set: ChangeSet) -> str:
    """Ask for the execution; returns what the change set is then, whoever was faster."""
    from botocore.exceptions import ClientError

    try:
        client.execute_change_set(
            ChangeSetName=change_set.id, StackName=change_set.stack, ClientRequestToken=change_set.token
        )
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        _check_ready(change_set.stack, message)
        if code not in (*NOT_FOUND, "InvalidChangeSetStatus", "InvalidChangeSetStatusException"):
            raise
        return execution_status(client, change_set)
    return RUNNING


def is_running(client: Any, change_set: ChangeSet) -> bool:
    """Whether CloudFormation is still at work on a change set."""
    return execution_status(client, change_set) == RUNNING


def execution_status(client: Any, change_set: ChangeSet) -> str:
    """ExecutionStatus of a change set. CloudFormation deletes the others of a stack when it executes one of them."""
    found = _describe(client, change_set.stack, str(change_set.id))
    return str(found["ExecutionStatus"]) if found else OBSOLETE


def is_of_run(change_set_id: str, run: str) -> bool:
    """Whether an ARN is that of a change set that a run has created."""
    return f"/{_prefix(run)}" in change_set_id


def _prefix(run: str) -> str:
    return f"deploy-{sha256(run.encode()).hexdigest()[:8]}-"


def _name(request: dict[str, Any], run: str) -> str:
    return _prefix(run) + request_digest(request, run)


def _check_ready(stack: str, message: str) -> None:
    """:raises StackBusyError: when that is what CloudFormation says"""
    found = NOT_READY.search(message)
    if found and not is_ready(found["status"]):
        raise StackBusyError(stack, found["status"])


def _create(client: Any, request: dict[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        client.create_change_set(**request)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "AlreadyExistsException":  # the answer to the first try was lost on its way
            return
        _check_ready(request["StackName"], message)
        if code not in ("ValidationError", "InsufficientCapabilitiesException"):
            raise
        raise ChangeSetError(
            f"CloudFormation refused the change set of stack {request['StackName']}: {' '.join(message.split())}"
        ) from error


def _describe(client: Any, stack: str, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        return client.describe_change_set(ChangeSetName=name, StackName=stack)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in NOT_FOUND or "does not exist" in message:
            return None
        raise


def _wait(client: Any, stack: str, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    for pause in pauses():
        found = client.describe_change_set(ChangeSetName=name, StackName=stack)
        if found["Status"] not in PENDING:
            return found
        if time.monotonic() > deadline:
            break
        time.sleep(pause)
    raise StackTimeoutError(f"change set {name} of stack {stack} is still not ready after {WAIT_SECONDS:.0f} s")


def _failed(client: Any, stack: str, found: dict[str, Any]) -> ChangeSet:
    """A failed change set is deleted; that it had nothing to change is a success."""
    client.delete_change_set(ChangeSetName=found["ChangeSetId"], StackName=stack)
    reason = " ".join(found.get("StatusReason", "no reason given").split())
    if any(text in reason for text in NO_CHANGES):
        return ChangeSet(stack, None)
    raise ChangeSetError(f"change set of stack {stack} failed: {reason}")


def _all_changes(client: Any, stack: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    changes, page = list(found["Changes"]), found
    while token := page.get("NextToken"):
        page = client.describe_change_set(ChangeSetName=found["ChangeSetId"], StackName=stack, NextToken=token)
        changes += page["Changes"]
    return changes
