"""One stack: its status, its outputs, why it failed, waiting for it and deleting it."""

from __future__ import annotations

import logging
import time
from typing import Any

from concert_platform.cloudformation.errors import StackFailedError, StackTimeoutError

logger = logging.getLogger(__name__)

MISSING = "MISSING"
SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
# A first creation that failed leaves such a stack: it cannot be updated, only deleted.
LEFTOVERS = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
# Waiting for somebody's review, not for CloudFormation.
REVIEW = "REVIEW_IN_PROGRESS"

POLL_SECONDS = 1.0
WAIT_SECONDS = 3600.0


def is_busy(status: str) -> bool:
    """Whether CloudFormation is at work on a stack of this status."""
    return status.endswith("_IN_PROGRESS") and status != REVIEW


class Stack:
    """A stack by its full name or id.

    :param client: boto3 client of CloudFormation
    """

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name

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

    def exists(self) -> bool:
        """Whether the stack holds resources that an update can start from."""
        return self.status() not in (MISSING, REVIEW, "DELETE_COMPLETE", *LEFTOVERS)

    def outputs(self) -> dict[str, str]:
        """Outputs by key; none for a stack that was never deployed."""
        described = self.describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def parameter_names(self) -> list[str]:
        described = self.describe() or {}
        return [parameter["ParameterKey"] for parameter in described.get("Parameters", [])]

    def wait_until_idle(self, timeout: float = WAIT_SECONDS) -> str:
        """Wait until no operation is under way; returns the status.

        :raises StackTimeoutError: after `timeout` seconds
        """
        deadline = time.monotonic() + timeout
        while is_busy(status := self.status()):
            if time.monotonic() > deadline:
                raise StackTimeoutError(
                    f"stack {self.name} is still {status} after {timeout:.0f} s: look at its events in the console"
                )
            time.sleep(POLL_SECONDS)
        return status

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
        if not failures:
            return "CloudFormation names no failed resource; look at the stack's events"
        return f"{_failure_line(failures[0])}; mend the template or its parameters, then deploy again"

    def last_operation(self) -> list[dict[str, Any]]:
        """Events of the operation that was started last, oldest first."""
        events: list[dict[str, Any]] = []
        for page in self.client.get_paginator("describe_stack_events").paginate(StackName=self.name):
            for event in page["StackEvents"]:  # newest first
                events.append(event)
                if _starts_operation(event):
                    return events[::-1]
        return events[::-1]

    def delete(self, token: str, timeout: float = WAIT_SECONDS) -> None:
        """Delete the stack and wait until it is gone; one that is gone already stays gone.

        :param token: client request token, so that a retry does not start a second deletion
        :raises StackFailedError: when a resource could not be deleted
        """
        described = self.describe()
        if described is None:
            return
        self.client.delete_stack(StackName=self.name, ClientRequestToken=token)
        by_id = Stack(self.client, described["StackId"])  # a deleted stack is found by its id only
        deadline = time.monotonic() + timeout
        while (status := by_id.status()) not in (MISSING, "DELETE_COMPLETE"):
            if status == "DELETE_FAILED":
                raise StackFailedError(f"stack {self.name} could not be deleted: {by_id.first_failure()}")
            if time.monotonic() > deadline:
                raise StackTimeoutError(f"stack {self.name} is still {status} after {timeout:.0f} s")
            time.sleep(POLL_SECONDS)


def _is_failure(event: dict[str, Any]) -> bool:
    # A resource whose siblings failed first is reported as cancelled, which explains nothing.
    cancelled = "cancelled" in event.get("ResourceStatusReason", "").lower()
    return event["ResourceStatus"].endswith("_FAILED") and not cancelled


def _starts_operation(event: dict[str, Any]) -> bool:
    own = event.get("PhysicalResourceId") == event["StackId"] or event["LogicalResourceId"] == event["StackName"]
    # The rollback is a part of the operation that failed.
    return own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")


def _failure_line(event: dict[str, Any]) -> str:
    reason = " ".join(event.get("ResourceStatusReason", "no reason given").split()).rstrip(".")
    return f"{event['LogicalResourceId']} ({event['ResourceType']}) {event['ResourceStatus']}: {reason}"
