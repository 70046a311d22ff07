"""Drift: where the resources of a stack differ from its template because somebody changed them by other means.

CloudFormation compares, per resource, the properties that the template sets with what the resource has. It does so with
the permissions of its caller, who therefore needs to read every type of the stack. Some types it cannot check: the
report names them, so that no one takes silence for agreement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from concert_platform.cloudformation.errors import CloudFormationError, one_line
from concert_platform.cloudformation.masking import masked
from concert_platform.cloudformation.report_files import LONGEST_CELL
from concert_platform.cloudformation.stacks import DEPLOYED, MISSING, REVIEW, STUCK, Stack, is_busy
from concert_platform.cloudformation.tables import table

IN_PROGRESS = "DETECTION_IN_PROGRESS"
FAILED = "DETECTION_FAILED"
UNDER_WAY = "in progress"  # CloudFormation's words about another detection
FIELDS = ("DetectionStatus", "DetectionStatusReason", "StackDriftStatus")  # what read_drift takes of a detection
DETECTABLE = (*DEPLOYED, STUCK)
EMPTY = (MISSING, REVIEW, "DELETE_COMPLETE", "ROLLBACK_COMPLETE")  # such a stack holds nothing
NOT_DEPLOYED, NOT_COMPARABLE = "NOT_DEPLOYED", "NOT_COMPARABLE"
COLUMNS = {
    "stack": "STACK", "resource": "RESOURCE", "type": "TYPE", "property": "PROPERTY", "expected": "EXPECTED",
    "actual": "ACTUAL",
}  # fmt: skip
TOPIC_SUBJECT_LIMIT = 100  # characters that SNS takes
MESSAGE_LINES = 40


@dataclass(frozen=True)
class Difference:
    """One property that is not what the template says; a deleted resource is one difference without a property.

    :param expected: value in the template, hidden where it may be a secret
    :param actual: value of the resource, likewise
    """

    stack: str
    resource: str
    type: str
    name: str
    property: str
    expected: str
    actual: str


@dataclass(frozen=True)
class StackDrift:
    """What one detection found.

    :param status: DRIFTED, IN_SYNC or UNKNOWN, as CloudFormation says it; NOT_DEPLOYED for a stack without resources,
        NOT_COMPARABLE for one in a state in which CloudFormation compares nothing
    :param checked: number of resources that were compared
    :param unchecked: types that CloudFormation could not compare
    :param failure: why the detection did not cover everything it should have; empty when it did
    """

    stack: str
    status: str
    checked: int = 0
    differences: list[Difference] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    failure: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> StackDrift:
        return cls(**{**document, "differences": [Difference(**item) for item in document["differences"]]})


def without_detection(stack: str, status: str) -> StackDrift | None:
    """The result for a stack that CloudFormation does not compare; None for one that it does.

    :param status: of the stack while no operation is under way
    """
    if status in DETECTABLE:
        return None
    if status in EMPTY:
        return StackDrift(stack, NOT_DEPLOYED)
    why = f"not comparable while it is {status}: run deploy_infrastructure for it, or finish its deletion"
    return StackDrift(stack, NOT_COMPARABLE, failure=why)


def detect(stack: Stack) -> Iterator[dict[str, Any] | None]:
    """Let CloudFormation compare a stack: None after each look, and at last what read_drift takes.

    :raises CloudFormationError: when the detection cannot be started
    """
    while (detection_id := start_detection(stack)) is None:
        yield None
    while (found := detection_status(stack.client, detection_id))["DetectionStatus"] == IN_PROGRESS:
        yield None
    yield {name: found[name] for name in FIELDS if name in found}


def start_detection(stack: Stack) -> str | None:
    """Id of a new detection; None while another one or an operation holds the stack.

    :raises CloudFormationError: when the stack's status allows no detection
    """
    from botocore.exceptions import ClientError

    try:
        return stack.client.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
    except ClientError as error:
        said = error.response["Error"]
        if UNDER_WAY in said["Message"].lower().replace("_", " "):
            return None
        if said["Code"] != "ValidationError":
            raise
        if is_busy(stack.status()):
            return None
        raise CloudFormationError(one_line(said["Message"])) from error


def detection_status(client: Any, detection_id: str) -> dict[str, Any]:
    return client.describe_stack_drift_detection_status(StackDriftDetectionId=detection_id)


def read_drift(stack: Stack, detection: dict[str, Any]) -> StackDrift:
    """What a finished detection found.

    :param detection: result of detection_status
    """
    client = stack.client
    found = _pages(client.describe_stack_resource_drifts, "StackResourceDrifts", StackName=stack.name)
    compared = {
        drift["LogicalResourceId"]
        for drift in found
        if drift["StackResourceDriftStatus"] in ("IN_SYNC", "MODIFIED", "DELETED")
    }
    failed = detection["DetectionStatus"] == FAILED
    return StackDrift(
        stack=stack.name,
        status=detection.get("StackDriftStatus", "UNKNOWN"),
        checked=len(compared),
        differences=[difference for drift in found for difference in _differences(stack.name, drift)],
        unchecked=sorted(
            {item["ResourceType"] for item in stack.resources() if item["LogicalResourceId"] not in compared}
        ),
        failure=one_line(detection.get("DetectionStatusReason", "no reason given")) if failed else "",
    )


def _pages(call: Any, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """All items of a call for which boto3 has no paginator."""
    page = call(**arguments)
    items = list(page[key])
    while token := page.get("NextToken"):
        page = call(NextToken=token, **arguments)
        items += page[key]
    return items


def _differences(stack: str, drift: dict[str, Any]) -> list[Difference]:
    about = (stack, drift["LogicalResourceId"], drift["ResourceType"], drift.get("PhysicalResourceId", "-"))
    if drift["StackResourceDriftStatus"] == "DELETED":
        return [Difference(*about, "-", "exists", "deleted")]
    return [
        Difference(*about, path := item["PropertyPath"], masked(path, item["ExpectedValue"]),
                   masked(path, item["ActualValue"]))
        for item in drift.get("PropertyDifferences", [])
    ]  # fmt: skip


# ---------------------------------------------------------------- report


def report(stacks: Sequence[StackDrift], *, environment: str, due_at: str) -> dict[str, Any]:
    """The document that goes to S3.

    :param due_at: ISO time in UTC of the run
    """
    return {
        "environment": environment,
        "due_at": due_at,
        "differences": sum(len(stack.differences) for stack in stacks),
        "drifted_stacks": [stack.stack for stack in stacks if stack.differences],
        "stacks": [stack.to_dict() for stack in stacks],
    }


def readable(stacks: Iterable[StackDrift]) -> str:
    """The report for people: one line a stack, then one line a difference."""
    stacks = list(stacks)
    lines = [_stack_line(stack) for stack in stacks]
    rows = [asdict(difference) for stack in stacks for difference in stack.differences]
    return "\n".join([*lines, *(["", *table(rows, COLUMNS, LONGEST_CELL)] if rows else [])])


def _stack_line(stack: StackDrift) -> str:
    parts = [f"{stack.stack}: {stack.status}"]
    if stack.checked or stack.differences:
        parts.append(f"{len(stack.differences)} differences, {stack.checked} resources compared")
    if stack.unchecked:
        parts.append(f"not compared: {', '.join(stack.unchecked)}")
    if stack.failure:
        parts.append(stack.failure)
    return "; ".join(parts)


def alert(document: dict[str, Any]) -> dict[str, str]:
    """Subject and message for the alert topic.

    :param document: result of report() with its `address`
    """
    lines = readable(StackDrift.from_dict(stack) for stack in document["stacks"]).splitlines()
    more = [f"... and {len(lines) - MESSAGE_LINES} lines more"] if len(lines) > MESSAGE_LINES else []
    count, stacks = document["differences"], len(document["drifted_stacks"])
    subject = f"Drift in {document['environment']}: {count} differences in {stacks} stacks"
    return {
        "Subject": subject[:TOPIC_SUBJECT_LIMIT],
        "Message": "\n".join([subject, f"Report: {document['address']}", "", *lines[:MESSAGE_LINES], *more]),
    }
