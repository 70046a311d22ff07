"""Change sets: created under a deterministic name, so that a retry finds the one of its predecessor."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from concert_platform.cloudformation.errors import ChangeSetError, StackFailedError, StackTimeoutError
from concert_platform.cloudformation.stacks import Stack

POLL_SECONDS = 0.5
WAIT_SECONDS = 600.0
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
AVAILABLE = "AVAILABLE"
REUSABLE = (AVAILABLE, "EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE")
PENDING = ("CREATE_PENDING", "CREATE_IN_PROGRESS")


@dataclass(frozen=True)
class ChangeSet:
    """A change set that CloudFormation has worked out; one without changes has no id."""

    stack: str
    id: str | None
    changes: list[dict[str, str]] = field(default_factory=list)

    @property
    def token(self) -> str:
        """Client request token of the execution: a change set is executed once."""
        return sha256((self.id or "").encode()).hexdigest()[:32]

    def table(self) -> str:
        """What would change, one line a resource, for the log."""
        if self.id is None:
            return f"{self.stack}: no changes"
        header = {"action": "ACTION", "logical_id": "LOGICAL ID", "type": "TYPE", "replacement": "REPLACEMENT"}
        rows = [header, *self.changes]
        widths = {key: max(len(row[key]) for row in rows) for key in header}
        lines = ["  ".join(row[key].ljust(widths[key]) for key in header).rstrip() for row in rows]
        return "\n".join([f"{self.stack}: {len(self.changes)} changes", *lines])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def request_digest(request: dict[str, Any], run: str) -> str:
    """Name one logical request: the same template, parameters, tags and run give the same 32 hex characters."""
    text = json.dumps([request, run], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


def summarize(changes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The review table of a change set's ``Changes``, in CloudFormation's order."""
    found = [change["ResourceChange"] for change in changes if "ResourceChange" in change]
    return [
        {
            "action": change["Action"],
            "logical_id": change["LogicalResourceId"],
            "type": change["ResourceType"],
            "replacement": change.get("Replacement") or "-",
        }
        for change in found
    ]


def find_change_set(client: Any, request: dict[str, Any], run: str) -> dict[str, Any] | None:
    """The change set that an earlier try of the same request created, if it is still there."""
    return _describe(client, request["StackName"], _name(request, run))


def create_change_set(client: Any, request: dict[str, Any], run: str, *, after: str = "") -> ChangeSet:
    """Create a change set, or find the one that a predecessor created with the same request, and wait for it.

    :param request: arguments of CreateChangeSet without name and token
    :param run: what makes a request of today another one than that of yesterday
    :param after: id of the failed stack that was deleted to make room, which makes this another attempt
    :raises ChangeSetError: when CloudFormation refuses the template or its parameters
    """
    stack, name = request["StackName"], _name(request, run)
    found = _describe(client, stack, name)
    if found and found["ExecutionStatus"] not in REUSABLE and found["Status"] not in PENDING:
        after = found["ChangeSetId"]
        client.delete_change_set(ChangeSetName=after, StackName=stack)
        found = None
    if found is None:
        token = sha256(f"{name}:{after}".encode()).hexdigest()[:32]
        _create(client, {**request, "ChangeSetName": name, "ClientToken": token})
    found = _wait(client, stack, name)
    if found["Status"] == "FAILED":
        return _failed(client, stack, found)
    return ChangeSet(stack, found["ChangeSetId"], summarize(_all_changes(client, stack, found)))


def execute_change_set(client: Any, change_set: ChangeSet) -> None:
    """Start a change set; one that is under way or done already is left alone.

    :raises StackFailedError: when it was executed before and failed
    """
    if change_set.id is None:
        return
    state = client.describe_change_set(ChangeSetName=change_set.id, StackName=change_set.stack)["ExecutionStatus"]
    if state == AVAILABLE:
        client.execute_change_set(
            ChangeSetName=change_set.id, StackName=change_set.stack, ClientRequestToken=change_set.token
        )
    elif state not in REUSABLE:
        reason = Stack(client, change_set.stack).first_failure()
        raise StackFailedError(f"the change set of stack {change_set.stack} is {state}: {reason}")


def _name(request: dict[str, Any], run: str) -> str:
    return f"deploy-{request_digest(request, run)}"


def _create(client: Any, request: dict[str, Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        client.create_change_set(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise ChangeSetError(
            f"CloudFormation refused the change set of stack {request['StackName']}: "
            f"{error.response['Error']['Message']}"
        ) from error


def _describe(client: Any, stack: str, name: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        return client.describe_change_set(ChangeSetName=name, StackName=stack)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code in ("ChangeSetNotFound", "ChangeSetNotFoundException") or "does not exist" in message:
            return None
        raise


def _wait(client: Any, stack: str, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = client.describe_change_set(ChangeSetName=name, StackName=stack)
        if found["Status"] not in PENDING:
            return found
        if time.monotonic() > deadline:
            raise StackTimeoutError(f"change set {name} of stack {stack} is still not ready after {WAIT_SECONDS:.0f} s")
        time.sleep(POLL_SECONDS)


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
