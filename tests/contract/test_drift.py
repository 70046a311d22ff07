"""Changes made past a template, by hand and for real, are found by drift detection."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from concert_platform.cloudformation import Stack
from concert_platform.cloudformation import drift as library
from concert_platform.cloudformation.drift import StackDrift, read_drift, readable
from tests.contract.scratch_stacks import SETTINGS, deploy, log_in_as_root, use_templates

PREFIX = "concert-platform-development-drift"
TEMPLATE = f"""Resources:
  Spare: {{Type: AWS::SQS::Queue, Properties: {{QueueName: '{PREFIX}-spare'}}}}
  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.77.0.0/16}}}}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupName: {PREFIX}
      GroupDescription: Group of the drift test
      VpcId: !Ref Vpc
      SecurityGroupIngress:
        - {{IpProtocol: tcp, FromPort: 5439, ToPort: 5439, CidrIp: 10.77.0.0/16, Description: warehouse}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: {PREFIX}
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{{Effect: Allow, Principal: {{Service: [lambda.amazonaws.com, glue.amazonaws.com]}},
                      Action: 'sts:AssumeRole'}}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: {PREFIX}
      Runtime: python3.12
      Handler: index.handler
      MemorySize: 128
      Environment: {{Variables: {{MODE: slow, API_KEY: hunter1}}}}
      Timeout: 5
      Role: !GetAtt Role.Arn
      Code: {{ZipFile: 'def handler(event, context): return event'}}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: {PREFIX}
      VersioningConfiguration: {{Status: Enabled}}
      LifecycleConfiguration: {{Rules: [{{Id: expire, Status: Enabled, ExpirationInDays: 30}}]}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: {PREFIX}
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: false
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
  Job:
    Type: AWS::Glue::Job
    Properties:
      Name: {PREFIX}
      Role: !GetAtt Role.Arn
      GlueVersion: '5.1'
      WorkerType: G.1X
      NumberOfWorkers: 2
      Timeout: 30
      Command: {{Name: glueetl, ScriptLocation: 's3://{PREFIX}/job.py'}}
"""
STACK = "networking"  # the scratch template stands in for its template


@pytest.fixture(scope="module")
def stack(emulator: Any) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in_as_root(monkeypatch, emulator)
        use_templates(monkeypatch, {STACK: TEMPLATE})
        deploy(STACK)
        found = Stack(emulator.client("cloudformation"), SETTINGS.stack(STACK))
        yield found
        emulator.client("dynamodb").update_table(TableName=PREFIX, DeletionProtectionEnabled=False)
        found.delete("end-of-the-drift-tests")


@pytest.fixture(scope="module")
def fresh(stack: Stack) -> StackDrift:
    """What a detection found before anybody had touched the stack."""
    return detect(stack)


def detect(stack: Stack) -> StackDrift:
    return read_drift(stack, next(event for event in library.detect(stack) if event))


def suspend_versions(client: Callable[[str], Any]) -> None:
    client("s3").put_bucket_versioning(Bucket=PREFIX, VersioningConfiguration={"Status": "Suspended"})


def expire_sooner(client: Callable[[str], Any]) -> None:
    rule = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    client("s3").put_bucket_lifecycle_configuration(Bucket=PREFIX, LifecycleConfiguration={"Rules": [rule]})


def give_memory(client: Callable[[str], Any]) -> None:
    client("lambda").update_function_configuration(FunctionName=PREFIX, MemorySize=512)


def protect_table(client: Callable[[str], Any]) -> None:
    client("dynamodb").update_table(TableName=PREFIX, DeletionProtectionEnabled=True)


def open_port(client: Callable[[str], Any]) -> None:
    groups = client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [PREFIX]}])
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    client("ec2").authorize_security_group_ingress(
        GroupId=groups["SecurityGroups"][0]["GroupId"], IpPermissions=[permission]
    )


def prolong_job(client: Callable[[str], Any]) -> None:
    job = client("glue").get_job(JobName=PREFIX)["Job"]
    update = {name: job[name] for name in ("Role", "Command", "GlueVersion", "WorkerType", "NumberOfWorkers")}
    client("glue").update_job(JobName=PREFIX, JobUpdate={**update, "Timeout": 600})


def test_a_stack_as_it_was_deployed_has_not_drifted(fresh: StackDrift) -> None:
    assert fresh.status == "IN_SYNC", readable([fresh])
    assert not fresh.differences
    assert fresh.checked >= 5
    assert not {"AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::EC2::SecurityGroup",
                "AWS::Glue::Job"} & set(fresh.unchecked)  # fmt: skip


@pytest.mark.parametrize(
    ("by_hand", "resource", "property_path", "expected", "actual"),
    [
        (suspend_versions, "Bucket", "/VersioningConfiguration/Status", "Enabled", "Suspended"),
        (expire_sooner, "Bucket", "/LifecycleConfiguration/Rules/0/ExpirationInDays", "30", "1"),
        (give_memory, "Function", "/MemorySize", "128", "512"),
        (protect_table, "Table", "/DeletionProtectionEnabled", "false", "true"),
        (prolong_job, "Job", "/Timeout", "30", "600"),
    ],
)
def test_a_property_changed_by_hand_is_reported_with_both_values(
    by_hand: Callable[[Any], None], resource: str, property_path: str, expected: str, actual: str,
    fresh: StackDrift, stack: Stack, root: Any,
) -> None:  # fmt: skip
    by_hand(root)
    found = detect(stack)
    assert found.status == "DRIFTED"
    named = [item for item in found.differences if (item.resource, item.property) == (resource, property_path)]
    assert [(item.expected, item.actual) for item in named] == [(expected, actual)], readable([found])


def test_a_variable_of_a_function_is_reported_without_its_value(fresh: StackDrift, stack: Stack, root: Any) -> None:
    variables = {"MODE": "fast", "API_KEY": "hunter2"}
    root("lambda").update_function_configuration(FunctionName=PREFIX, Environment={"Variables": variables})
    found = detect(stack)
    shown = [item for item in found.differences if item.property.startswith("/Environment")]
    assert shown and "hunter" not in str(found) and "fast" not in str(found)
    assert "hunter" not in readable([found]) and "(hidden)" in shown[0].expected + shown[0].actual


def test_a_rule_opened_by_hand_in_a_security_group_is_reported(fresh: StackDrift, stack: Stack, root: Any) -> None:
    open_port(root)
    found = [item for item in detect(stack).differences if item.resource == "Group"]
    assert [item.property for item in found] == ["/SecurityGroupIngress/1"]
    assert json.loads(found[0].actual) == {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}


def test_a_resource_deleted_by_hand_is_reported_as_deleted(fresh: StackDrift, stack: Stack, root: Any) -> None:
    queue = root("sqs").get_queue_url(QueueName=f"{PREFIX}-spare")["QueueUrl"]
    root("sqs").delete_queue(QueueUrl=queue)
    found = [item for item in detect(stack).differences if item.resource == "Spare"]
    assert [(item.property, item.expected, item.actual) for item in found] == [("-", "exists", "deleted")]
