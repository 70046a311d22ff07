"""A failed asynchronous call of a function that a stack made arrives in its dead-letter queue."""

import json
from collections.abc import Callable
from typing import Any

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
        "Once": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {
            "FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0}},
    },
    "Outputs": {"Queue": {"Value": {"Ref": "Queue"}}},
}  # fmt: skip


def test_a_failed_call_arrives_in_the_dead_letter_queue(deploy_stack: Callable, root: Any) -> None:
    url = deploy_stack(TEMPLATE, "dead-letters")["Queue"]
    root("lambda").invoke(FunctionName="dead-letters", InvocationType="Event", Payload=b'{"id": 1}')
    found = root("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert [json.loads(message["Body"])["requestPayload"] for message in found] == [{"id": 1}]
