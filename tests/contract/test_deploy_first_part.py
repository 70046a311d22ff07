"""An orchestration template too large to be sent passes through the bucket that it makes, also after a failure."""

from typing import Any

import boto3
import pytest

from concert_platform.cloudformation import Deployment, templates
from tests.contract.conftest import PATIENTLY, Emulator
from tests.contract.deploy_tasks import Answering
from tests.contract.scratch_stacks import PARAMETERS, SETTINGS, log_in_as_root, use_templates

STACK = SETTINGS.stack("orchestration")
BODY = """Resources:
  EnvironmentBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    Properties: {BucketName: concert-platform-development-first-part}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: concert-platform-development-first-part}}
Outputs:
  EnvironmentBucketName: {Value: !Ref EnvironmentBucket}
  QueueName: {Value: !GetAtt Queue.QueueName}
"""
FAILING = """  Failing:
    Type: AWS::Glue::Table
    DependsOn: EnvironmentBucket
    Properties: {CatalogId: '000000000000', DatabaseName: no_such_database, TableInput: {Name: event}}
"""


@pytest.fixture
def large(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Orchestration is a large template; its stack and bucket are removed afterwards."""
    log_in_as_root(monkeypatch, emulator)
    use_templates(monkeypatch, {"orchestration": BODY})
    monkeypatch.setattr(templates, "LARGEST_INLINE_TEMPLATE", 200)
    client, s3 = emulator.client("cloudformation"), emulator.client("s3")
    yield client
    client.delete_stack(StackName=STACK)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig=PATIENTLY)
    for item in s3.list_objects_v2(Bucket="concert-platform-development-first-part").get("Contents", []):
        s3.delete_object(Bucket="concert-platform-development-first-part", Key=item["Key"])
    s3.delete_bucket(Bucket="concert-platform-development-first-part")


def test_the_first_part_is_not_taken_for_the_whole_after_a_creation_that_failed(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = PARAMETERS + BODY.replace("Outputs:", f"{FAILING}Outputs:")
    given = [{"ParameterKey": "Environment", "ParameterValue": "development"}]
    large.create_stack(StackName=STACK, TemplateBody=body, Parameters=given)
    with pytest.raises(Exception, match="StackCreateComplete"):
        large.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig=PATIENTLY)
    assert large.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"

    def answer_for_the_dead(real: Any, **arguments: Any) -> Any:  # the local AWS forgets what a rollback has deleted
        if large.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] != "ROLLBACK_COMPLETE":
            return real(**arguments)
        detail = {"PhysicalResourceId": "concert-platform-development-first-part", "ResourceStatus": "DELETE_COMPLETE"}
        return {"StackResourceDetail": detail}

    client = Answering(boto3.client("cloudformation"), "describe_stack_resource", answer_for_the_dead)
    monkeypatch.setattr(Deployment, "client", client)
    assert Deployment(SETTINGS, run="next").deploy("orchestration").keys() == {"EnvironmentBucketName", "QueueName"}


def test_what_is_allowed_for_the_first_part_is_allowed_for_the_rest(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    monkeypatch.setattr(Deployment, "check_replacements", lambda _self, change_set: checked.append(change_set.stack))
    Deployment(SETTINGS, run="any").deploy("orchestration", allow_replacement=True)
    assert checked == []
