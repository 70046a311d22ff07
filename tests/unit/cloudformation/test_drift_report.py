"""What an operator reads of drift, and what the library makes of CloudFormation's answers."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import Stack
from concert_platform.cloudformation.drift import (
    Difference,
    StackDrift,
    alert,
    detect,
    read_drift,
    readable,
    report,
    without_detection,
)
from concert_platform.cloudformation.masking import masked
from concert_platform.triggers.drift import DriftDetectionTrigger

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


class Detections:
    """CloudFormation that starts and ends detections after so many looks, and answers for the stack's status."""

    def __init__(self, refusals: list[str], looks: int = 0, status: str = "UPDATE_COMPLETE") -> None:
        self.refusals, self.looks, self.status, self.started = refusals, looks, status, 0

    def detect_stack_drift(self, StackName: str) -> dict[str, str]:
        if self.refusals:
            said = {"Code": "ValidationError", "Message": self.refusals.pop(0)}
            raise ClientError({"Error": said}, "DetectStackDrift")
        self.started += 1
        return {"StackDriftDetectionId": str(self.started)}

    def describe_stack_drift_detection_status(self, StackDriftDetectionId: str) -> dict[str, Any]:
        self.looks -= 1
        if self.looks >= 0:
            return {"DetectionStatus": "DETECTION_IN_PROGRESS"}
        return {"DetectionStatus": "DETECTION_COMPLETE", "StackDriftStatus": "IN_SYNC", "Timestamp": object()}

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": self.status}]}


def fire(client: Detections, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The event of the trigger that waits for a detection."""
    monkeypatch.setattr(boto3, "client", lambda _service, **_: client)
    trigger = DriftDetectionTrigger(stack=STACK, poll_interval=0.0)
    path, arguments = trigger.serialize()
    assert path.endswith(".DriftDetectionTrigger")
    return asyncio.run(anext(DriftDetectionTrigger(**arguments).run())).payload


def test_a_detection_of_somebody_else_is_waited_for_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = f"Drift detection is already in progress for stack [{STACK}]"
    client = Detections([busy] * 50, looks=20)
    assert fire(client, monkeypatch) == {"DetectionStatus": "DETECTION_COMPLETE", "StackDriftStatus": "IN_SYNC"}
    assert client.started == 1


def test_the_detection_of_a_trigger_that_was_killed_is_waited_for_and_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Detections([], looks=1)
    assert next(detect(Stack(client, STACK))) is None  # killed here, before anybody knew the detection's id
    client.refusals = ["Drift detection is already in progress"]
    assert fire(client, monkeypatch)["StackDriftStatus"] == "IN_SYNC"


def test_a_stack_that_became_busy_meanwhile_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Detections(["Stack is in UPDATE_IN_PROGRESS state"])
    assert fire(client, monkeypatch)["StackDriftStatus"] == "IN_SYNC"


def test_a_detection_that_cannot_be_started_says_why_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    event = fire(Detections(["Stack is gone.\n  Try again"]), monkeypatch)
    assert event == {"error": f"drift of stack {STACK} cannot be detected now: Stack is gone. Try again"}


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_COMPLETE",
                                    "IMPORT_ROLLBACK_FAILED", "ROLLBACK_FAILED", "UPDATE_FAILED"])  # fmt: skip
def test_a_stack_that_holds_something_but_cannot_be_compared_is_a_failure(status: str) -> None:
    found = without_detection(STACK, status)
    assert found is not None and found.status == "NOT_COMPARABLE"
    assert f"not comparable while it is {status}" in found.failure
    assert found.failure in readable([found])


def test_a_stack_without_resources_is_not_deployed_and_no_failure() -> None:
    for status in ("MISSING", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        assert without_detection(STACK, status) == StackDrift(STACK, "NOT_DEPLOYED")
    assert without_detection(STACK, "UPDATE_ROLLBACK_FAILED") is None


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:password-AbCdEf"


@pytest.mark.parametrize(("path", "value", "shown"), [
    ("/SecretString", "hunter2", "(hidden)"),
    ("/MasterUserPassword", "hunter2", "(hidden)"),
    ("/Environment/Variables/MODE", "hunter2", "(hidden)"),
    ("/Environment", '{"Variables": {"MODE": "hunter2", "PLACE": "x"}}',
     '{"Variables": {"MODE": "(hidden)", "PLACE": "(hidden)"}}'),
    ("/DefaultArguments/--api_key", "hunter2", "(hidden)"),
    ("/DefaultArguments", '{"--api_key": "hunter2", "--day": "1"}', '{"--api_key": "(hidden)", "--day": "1"}'),
    ("/Tags/0", '{"Key": "api_token", "Value": "hunter2"}', '{"Key": "api_token", "Value": "(hidden)"}'),
    ("/Tags/0/Key", "Stack", "Stack"),
    ("/Secrets/0", '{"db": ["hunter2"]}', '{"db": ["(hidden)"]}'),
    ("/SecretArn", ARN, ARN),
    ("/EnableKeyRotation", "false", "false"),
    ("/KeyPolicy/Statement/0/Principal/AWS", "*", "*"),
    ("/MemorySize", "512", "512"),
    ("/LifecycleConfiguration/Rules/0", '{"Id":  "expire"}', '{"Id":  "expire"}'),
])  # fmt: skip
def test_a_value_that_may_be_a_secret_is_hidden(path: str, value: str, shown: str) -> None:
    assert masked(path, value) == shown


def test_a_secret_reaches_neither_log_nor_report_nor_mail() -> None:
    client = Client("MODIFIED")
    client.drifts[0]["PropertyDifferences"] = [
        {"PropertyPath": "/SecretString", "ExpectedValue": "hunter1", "ActualValue": "hunter2"}
    ]
    found = read_drift(Stack(client, STACK), {"DetectionStatus": "DETECTION_COMPLETE", "StackDriftStatus": "DRIFTED"})
    document = report([found], environment="staging", due_at="2026-07-01")
    mail = alert({**document, "address": "s3://bucket/one.json"})
    for text in (readable([found]), json.dumps(document), mail["Message"]):
        assert "hunter" not in text and "(hidden)" in text


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
