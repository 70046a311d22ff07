"""One stack: its status, its outputs, why it failed, waiting for it and deleting it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from concert_platform.cloudformation.errors import StackFailedError, StackTimeoutError
from concert_platform.settings import Settings

logger = logging.getLogger(__name__)

ORCHESTRATION = "orchestration"
MISSING = "MISSING"
SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
# All that a template asked for is there, be it an earlier one.
DEPLOYED = (*SUCCEEDED, "UPDATE_ROLLBACK_COMPLETE")
# A first creation that failed leaves such a stack: it cannot be updated, only deleted.
LEFTOVERS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
# Waiting for somebody's review, not for CloudFormation.
REVIEW = "REVIEW_IN_PROGRESS"
# An update failed and its rollback too: nothing can be done with the stack until the rollback was continued.
STUCK = "UPDATE_ROLLBACK_FAILED"
STARTS_OF_OPERATIONS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS")

UNEXPLAINED = "CloudFormation names no failed resource; look at the stack's events"

FIRST_PAUSE = 0.2  # seconds; a small operation is over soon
LONGEST_PAUSE = 5.0  # a long one must not use up the account's request rate
WAIT_SECONDS = 3600.0
EMPTY_STACK_SECONDS = 120.0  # a stack without resources is deleted at once


def pauses(longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Seconds to wait between two looks at CloudFormation, growing."""
    pause = FIRST_PAUSE
    while True:
        yield min(pause, longest)
        pause *= 1.3


def is_busy(status: str) -> bool:
    """Whether CloudFormation is at work on a stack of this status."""
    return status.endswith("_IN_PROGRESS") and status != REVIEW


def is_ready(status: str) -> bool:
    """Whether a change set can be created for a stack of this status."""
    return not is_busy(status) and status not in (STUCK, *LEFTOVERS)


def service_role(settings: Settings, stack: str) -> str | None:
    """Role that CloudFormation changes a stack with, by its full name; orchestration makes that role and goes without.

    Airflow's role may do nothing to a stack in its own name: it has to name this role also where a stack knows it.
    """
    return None if stack == settings.stack(ORCHESTRATION) else settings.role_arn("cloudformation")


class Stack:
    """A stack by its full name or id.

    :param client: boto3 client of CloudFormation
    :param role: role that it is deleted and rolled back with, see service_role(); None for the rights of the caller
    """

    def __init__(self, client: Any, name: str, role: str | None = None) -> None:
        self.client = client
        self.name = name
        self._role = {"RoleARN": role} if role else {}

    def describe(self) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        try:
            return self.client.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def status(self) -> str:
        """The stack's status; ``MISSING`` when there is none of that name."""
        described = self.describe()
        return described["StackStatus"] if described else MISSING

    def outputs(self) -> dict[str, str]:
        """Outputs by key; none for a stack that was never deployed."""
        described = self.describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def physical_id(self, logical_id: str) -> str | None:
        """What a resource of the stack is called; None when the stack has none of that name.

        CloudFormation also answers for a resource that it has deleted, as long as it remembers the stack.
        """
        from botocore.exceptions import ClientError

        try:
            found = self.client.describe_stack_resource(StackName=self.name, LogicalResourceId=logical_id)
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise
        detail = found["StackResourceDetail"]
        return None if detail["ResourceStatus"] == "DELETE_COMPLETE" else detail.get("PhysicalResourceId") or None

    def parameter_names(self) -> list[str]:
        described = self.describe() or {}
        return [parameter["ParameterKey"] for parameter in described.get("Parameters", [])]

    def wait_until_idle(self, timeout: float = WAIT_SECONDS) -> str:
        """Wait until no operation is under way; returns the status.

        :raises StackTimeoutError: after `timeout` seconds
        """
        deadline = time.monotonic() + timeout
        for pause in pauses():
            if not is_busy(status := self.status()):
                return status
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
        raise StackTimeoutError(
            f"stack {self.name} is still {status} after {timeout:.0f} s: look at its events in the console"
        )

    def check_succeeded(self, status: str) -> None:
        """Raise unless an operation has ended well.

        :raises StackFailedError: with the first resource that failed and CloudFormation's reason
        """
        if status not in SUCCEEDED:
            raise StackFailedError(f"stack {self.name} ended as {status}: {self.first_failure()}")

    def first_failure(self) -> str:
        """Which resource failed first in the last operation, and why; every failure goes to the log."""
        failures = [event for event in self.last_operation() if _is_failure(event)]
        for event in failures:
            logger.error("%s", _failure_line(event))
        if not failures:  # such as an export in use: the stack itself has the reason
            failures = [event for event in self.last_operation() if _is_explained_rollback(event)]
        if not failures:
            return UNEXPLAINED
        return f"{_failure_line(failures[0])}; mend the template or its parameters, then deploy again"

    def rollback_failure(self) -> str:
        """Which resource the last rollback failed on and why, and how to go on without it."""
        events = self.last_operation()
        starts = [i for i, event in enumerate(events) if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS"]
        failures = [event for event in events[starts[-1] if starts else 0 :] if _is_failure(event)]
        if not failures:
            return UNEXPLAINED
        return (
            f"{_failure_line(failures[0])}; mend that resource by hand and deploy again, or give it up with `aws "
            f"cloudformation continue-update-rollback --stack-name {self.name} --resources-to-skip "
            f"{failures[0]['LogicalResourceId']}`"
        )

    def resources(self) -> list[dict[str, Any]]:
        """Summaries of all that the stack holds, or has held."""
        pages = self.client.get_paginator("list_stack_resources").paginate(StackName=self.name)
        return [resource for page in pages for resource in page["StackResourceSummaries"]]

    def newest_event(self) -> str:
        """Id of the newest event: another one tells that something has happened since."""
        return str(self.client.describe_stack_events(StackName=self.name)["StackEvents"][0]["EventId"])

    def last_operation(self) -> list[dict[str, Any]]:
        """Events of the operation that was started last, oldest first."""
        events: list[dict[str, Any]] = []
        for page in self.client.get_paginator("describe_stack_events").paginate(StackName=self.name):
            for event in page["StackEvents"]:  # newest first
                events.append(event)
                if _starts_operation(event):
                    return events[::-1]
        return events[::-1]

    def continue_rollback(self, token: str) -> None:
        """Let CloudFormation try the rest of a failed rollback once more.

        :param token: client request token, so that a retry does not start it twice
        """
        self.client.continue_update_rollback(StackName=self.name, ClientRequestToken=token, **self._role)

    def start_deletion(self, token: str) -> str:
        """Start to delete the stack; returns its id, by which alone a deleted stack is found, or "" without a stack.

        :param token: client request token, so that a retry does not start a second deletion
        """
        described = self.describe()
        if described is None:
            return ""
        self.client.delete_stack(StackName=self.name, ClientRequestToken=token, **self._role)
        return str(described["StackId"])

    def delete(self, token: str, timeout: float = WAIT_SECONDS) -> None:
        """Delete the stack and wait until it is gone; one that is gone already stays gone.

        :raises StackFailedError: when a resource could not be deleted
        """
        stack_id = self.start_deletion(token)
        if not stack_id:
            return
        by_id = Stack(self.client, stack_id)
        deadline = time.monotonic() + timeout
        for pause in pauses():
            status = by_id.status()
            if status in (MISSING, "DELETE_COMPLETE"):
                return
            if status == "DELETE_FAILED":
                raise StackFailedError(f"stack {self.name} could not be deleted: {by_id.first_failure()}")
            if time.monotonic() > deadline:
                break
            time.sleep(pause)
        raise StackTimeoutError(f"stack {self.name} is still {status} after {timeout:.0f} s")


def _is_failure(event: dict[str, Any]) -> bool:
    # A resource whose siblings failed first is reported as cancelled, which explains nothing.
    cancelled = "cancelled" in event.get("ResourceStatusReason", "").lower()
    return event["ResourceStatus"].endswith("_FAILED") and not cancelled


def _is_explained_rollback(event: dict[str, Any]) -> bool:
    return event["ResourceStatus"].endswith("ROLLBACK_IN_PROGRESS") and bool(event.get("ResourceStatusReason"))


def _starts_operation(event: dict[str, Any]) -> bool:
    own = event.get("PhysicalResourceId") == event["StackId"] or event["LogicalResourceId"] == event["StackName"]
    # The rollback is a part of the operation that failed.
    return own and event["ResourceStatus"] in STARTS_OF_OPERATIONS


def _failure_line(event: dict[str, Any]) -> str:
    reason = " ".join(event.get("ResourceStatusReason", "no reason given").split()).rstrip(".")
    return f"{event['LogicalResourceId']} ({event['ResourceType']}) {event['ResourceStatus']}: {reason}"
