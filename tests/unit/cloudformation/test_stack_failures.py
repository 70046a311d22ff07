"""Which of a stack's events explains its failure."""

from typing import Any

import pytest

from concert_platform.cloudformation import Stack, StackFailedError
from concert_platform.cloudformation.stacks import is_busy

STACK_ID = "arn:aws:cloudformation:us-east-1:000000000000:stack/some-stack/1"


class RecordedEvents:
    """Answers describe_stack_events with a recorded list, two events a page, newest first."""

    def __init__(self, *oldest_first: dict[str, Any]) -> None:
        self.events = list(oldest_first)[::-1]

    def get_paginator(self, operation: str) -> "RecordedEvents":
        assert operation == "describe_stack_events"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        return [{"StackEvents": self.events[i : i + 2]} for i in range(0, len(self.events), 2)]


def event(logical_id: str, status: str, reason: str = "") -> dict[str, Any]:
    own = logical_id == "some-stack"
    kind = "AWS::CloudFormation::Stack" if own else "AWS::Glue::Table"
    found = {"StackId": STACK_ID, "StackName": "some-stack", "LogicalResourceId": logical_id, "ResourceType": kind,
             "ResourceStatus": status, "PhysicalResourceId": STACK_ID if own else logical_id}  # fmt: skip
    return {**found, "ResourceStatusReason": reason} if reason else found


def test_the_first_failure_of_the_last_operation_is_the_reason() -> None:
    client = RecordedEvents(
        event("some-stack", "CREATE_IN_PROGRESS"),
        event("Queue", "CREATE_FAILED", "an old story"),
        event("some-stack", "UPDATE_IN_PROGRESS"),
        event("Other", "UPDATE_FAILED", "Resource update cancelled"),
        event("Table", "UPDATE_FAILED", "Database x\n not found."),
        event("some-stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Table]."),
        event("some-stack", "UPDATE_ROLLBACK_COMPLETE"),
    )
    with pytest.raises(StackFailedError) as caught:
        Stack(client, "some-stack").check_succeeded("UPDATE_ROLLBACK_COMPLETE")
    assert str(caught.value) == (
        "stack some-stack ended as UPDATE_ROLLBACK_COMPLETE: Table (AWS::Glue::Table) UPDATE_FAILED: Database x not "
        "found; mend the template or its parameters, then deploy again"
    )


def test_a_failure_without_a_failed_resource_points_to_the_events() -> None:
    stack = Stack(RecordedEvents(event("some-stack", "CREATE_IN_PROGRESS")), "some-stack")
    assert "look at the stack's events" in stack.first_failure()


def test_a_failure_of_the_stack_as_a_whole_has_the_reason_of_its_rollback() -> None:
    client = RecordedEvents(
        event("some-stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("some-stack", "UPDATE_ROLLBACK_IN_PROGRESS", "Export a cannot be deleted as it is in use by b"),
        event("some-stack", "UPDATE_ROLLBACK_COMPLETE"),
    )
    assert Stack(client, "some-stack").first_failure() == (
        "some-stack (AWS::CloudFormation::Stack) UPDATE_ROLLBACK_IN_PROGRESS: Export a cannot be deleted as it is in "
        "use by b; mend the template or its parameters, then deploy again"
    )


def test_a_failed_rollback_names_its_own_failure_and_not_that_of_the_update() -> None:
    client = RecordedEvents(
        event("some-stack", "UPDATE_IN_PROGRESS"),
        event("Table", "UPDATE_FAILED", "why the update failed"),
        event("some-stack", "UPDATE_ROLLBACK_IN_PROGRESS"),
        event("Other", "UPDATE_FAILED", "why the rollback failed"),
        event("some-stack", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Other]."),
    )
    assert Stack(client, "some-stack").rollback_failure() == (
        "Other (AWS::Glue::Table) UPDATE_FAILED: why the rollback failed; mend that resource by hand and deploy again, "
        "or give it up with `aws cloudformation continue-update-rollback --stack-name some-stack --resources-to-skip "
        "Other`"
    )


@pytest.mark.parametrize(
    ("status", "busy"),
    [("CREATE_IN_PROGRESS", True), ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", True), ("UPDATE_COMPLETE", False),
     ("REVIEW_IN_PROGRESS", False), ("MISSING", False)],
)  # fmt: skip
def test_a_stack_under_review_is_not_busy(status: str, busy: bool) -> None:
    assert is_busy(status) is busy
