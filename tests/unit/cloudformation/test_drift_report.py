"""What an operator reads of drift, and what the library makes of CloudFormation's answers."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import CloudFormationError, Stack
from concert_platform.cloudformation.drift import (
    Difference,
    StackDrift,
    alert,
    read_drift,
    readable,
    report,
    start_detection,
)

STACK = "concert-platform-staging-networking"
OPEN = Difference(STACK, "Group", "AWS::EC2::SecurityGroup", "sg-1", "/SecurityGroupIngress/1", "null", '{"Port": 22}')
DRIFTED = StackDrift(STACK, "DRIFTED", 3, [OPEN], ["AWS::EC2::FlowLog"])


class Client:
    """Answers of CloudFormation in two pages."""

    def __init__(self, *statuses: str) -> None:
        self.drifts = [
            {"LogicalResourceId": f"R{index}", "ResourceType": "AWS::S3::Bucket", "StackResourceDriftStatus": status,
             "PhysicalResourceId": f"r{index}", "PropertyDifferences": [
                 {"PropertyPath": "/A", "ExpectedValue": "1", "ActualValue": "2"}] if status == "MODIFIED" else []}
            for index, status in enumerate(statuses)
        ]  # fmt: skip

    def describe_stack_resource_drifts(self, StackName: str, NextToken: str = "") -> dict[str, Any]:
        if NextToken:
            return {"StackResourceDrifts": self.drifts[1:]}
        return {"StackResourceDrifts": self.drifts[:1], "NextToken": "more"}

    def get_paginator(self, _name: str) -> Any:
        summaries = [
            *({"LogicalResourceId": item["LogicalResourceId"], "ResourceType": "AWS::S3::Bucket"}
              for item in self.drifts),
            {"LogicalResourceId": "Other", "ResourceType": "AWS::EC2::FlowLog"},
        ]  # fmt: skip
        return SimpleNamespace(paginate=lambda StackName: [{"StackResourceSummaries": summaries}])


def test_every_page_is_read_and_what_was_not_compared_is_named() -> None:
    client = Client("IN_SYNC", "MODIFIED", "DELETED", "UNKNOWN")
    detection = {"DetectionStatus": "DETECTION_FAILED", "DetectionStatusReason": "no right", "StackDriftStatus": "X"}
    found = read_drift(Stack(client, STACK), detection)
    assert [(item.resource, item.property, item.actual) for item in found.differences] == [
        ("R1", "/A", "2"), ("R2", "-", "deleted"),
    ]  # fmt: skip
    assert (found.checked, found.unchecked) == (3, ["AWS::EC2::FlowLog", "AWS::S3::Bucket"])
    assert found.failure == "no right"


def test_a_detection_that_cannot_start_now_says_why_in_one_line() -> None:
    error = ClientError({"Error": {"Code": "ValidationError", "Message": "detection in progress"}}, "DetectStackDrift")

    def refuse(**_arguments: str) -> None:
        raise error

    with pytest.raises(CloudFormationError, match=f"drift of stack {STACK} cannot be detected now: detection in"):
        start_detection(Stack(SimpleNamespace(detect_stack_drift=refuse), STACK))


def test_the_report_names_resource_property_and_both_values() -> None:
    text = readable([DRIFTED, StackDrift("tracing", "NOT_DEPLOYED")])
    assert text.splitlines()[:2] == [
        f"{STACK}: DRIFTED; 1 differences, 3 resources compared; not compared: AWS::EC2::FlowLog",
        "tracing: NOT_DEPLOYED",
    ]
    assert text.splitlines()[-1].split()[1:] == [
        "Group", "AWS::EC2::SecurityGroup", "/SecurityGroupIngress/1", "null", '{"Port":', "22}",
    ]  # fmt: skip


def test_the_alert_is_one_short_message_with_the_address_of_the_report() -> None:
    document = report([StackDrift(STACK, "DRIFTED", 99, [OPEN] * 99)], environment="staging", due_at="2026-07-01")
    message = alert({**document, "address": "s3://bucket/reports/drift/one.json"})
    assert message["Subject"] == "Drift in staging: 99 differences in 1 stacks"
    assert "s3://bucket/reports/drift/one.json" in message["Message"]
    assert message["Message"].splitlines()[-1] == "... and 62 lines more"


def test_a_result_travels_between_tasks_as_a_dictionary() -> None:
    assert StackDrift.from_dict(DRIFTED.to_dict()) == DRIFTED
