"""A failed asynchronous call is tried twice more and arrives in the dead-letter queue; every execution is counted."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests.contract.conftest import Emulator
from tests.deadlines import until

CODE = "def handler(event, context):\n    raise ValueError('broken')\n"
TRUST = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}  # fmt: skip
SEND = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
TEMPLATE = {
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": "dead-letters", "AssumeRolePolicyDocument": TRUST,
            "Policies": [{"PolicyName": "send", "PolicyDocument": SEND}]}},
        "Function": {"Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "dead-letters", "Runtime": "python3.12", "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": CODE},
            "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}}}},
    },
    "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}},
}  # fmt: skip


def executions(root: Any, metric: str) -> float:
    answer = root("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName=metric, Dimensions=[{"Name": "FunctionName", "Value": "dead-letters"}],
        StartTime=time.time() - 300, EndTime=time.time() + 60, Period=60, Statistics=["Sum"],
    )  # fmt: skip
    return sum(point["Sum"] for point in answer["Datapoints"])


def test_a_failed_call_arrives_in_the_dead_letter_queue(deploy_stack: Callable, root: Any) -> None:
    url = deploy_stack(TEMPLATE, "dead-letters")["Queue"]
    before = {metric: executions(root, metric) for metric in ("Invocations", "Errors")}
    root("lambda").invoke(FunctionName="dead-letters", InvocationType="Event", Payload=b'{"id": 1}')
    asked = {"QueueUrl": url, "WaitTimeSeconds": 20, "MessageAttributeNames": ["All"]}
    (letter,) = until(lambda: root("sqs").receive_message(**asked).get("Messages"))
    assert json.loads(letter["Body"]) == {"id": 1}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    request = attributes.pop("RequestID")
    assert attributes == {"ErrorCode": "200", "ErrorMessage": "broken"}
    logged = root("logs").filter_log_events(logGroupName="/aws/lambda/dead-letters", filterPattern=f'"{request}"')
    assert logged["events"]
    assert {metric: executions(root, metric) - count for metric, count in before.items()} == {
        "Invocations": 3, "Errors": 3,
    }  # fmt: skip


def test_a_call_that_is_waited_for_counts_once_and_leaves_no_letter(deploy_stack: Callable, root: Any) -> None:
    url = deploy_stack(TEMPLATE, "dead-letters")["Queue"]
    before = {metric: executions(root, metric) for metric in ("Invocations", "Errors", "Throttles")}
    assert root("lambda").invoke(FunctionName="dead-letters")["FunctionError"] == "Unhandled"
    root("lambda").put_function_concurrency(FunctionName="dead-letters", ReservedConcurrentExecutions=0)
    throttled = root("lambda").exceptions.TooManyRequestsException
    with pytest.raises(throttled):
        root("lambda", config=Config(retries={"total_max_attempts": 1})).invoke(FunctionName="dead-letters")
    assert {metric: executions(root, metric) - count for metric, count in before.items()} == {
        "Invocations": 1, "Errors": 1, "Throttles": 1,
    }  # fmt: skip
    assert "Messages" not in root("sqs").receive_message(QueueUrl=url)


def test_a_functions_code_lies_in_the_state_folder_and_goes_with_the_next_start(
    deploy_stack: Callable, root: Any, emulator: Emulator
) -> None:
    deploy_stack(TEMPLATE, "dead-letters")
    root("lambda").invoke(FunctionName="dead-letters")

    def unpacked() -> list[Path]:
        return list((emulator.directory / "tmp").glob("ministack-lambda-dead-letters-*"))

    assert unpacked()
    emulator.restart()
    assert unpacked() == []
