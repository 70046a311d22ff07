"""What is there already: nothing is overwritten, no bucket with objects is deleted, and what fails leaves no trace."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.contract.conftest import PATIENTLY

NAME = "existing"
KEYS = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}  # fmt: skip
TRUST = {"Version": "2012-10-17", "Statement": []}
ROLE = "arn:aws:iam::000000000000:role/r"
NAMED = {
    "AWS::ApiGateway::ApiKey": {"Name": NAME},
    "AWS::CloudWatch::Alarm": {"AlarmName": NAME, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
                               "MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum", "Threshold": 1},
    "AWS::CloudWatch::Dashboard": {"DashboardName": NAME, "DashboardBody": "{}"},
    "AWS::DynamoDB::Table": {"TableName": NAME, **KEYS},
    "AWS::Events::Rule": {"Name": NAME, "ScheduleExpression": "rate(1 day)"},
    "AWS::IAM::ManagedPolicy": {"ManagedPolicyName": NAME, "PolicyDocument": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}},
    "AWS::IAM::Role": {"RoleName": NAME, "AssumeRolePolicyDocument": TRUST},
    "AWS::KMS::Alias": {"AliasName": f"alias/{NAME}", "TargetKeyId": "11111111-1111-1111-1111-111111111111"},
    "AWS::Kinesis::Stream": {"Name": NAME, "ShardCount": 1},
    "AWS::Lambda::Function": {"FunctionName": NAME, "Runtime": "python3.12", "Handler": "index.handler", "Role": ROLE,
                              "Code": {"ZipFile": "handler = print"}},
    "AWS::Logs::LogGroup": {"LogGroupName": NAME},
    "AWS::S3::Bucket": {"BucketName": NAME},
    "AWS::SNS::Topic": {"TopicName": NAME},
    "AWS::SQS::Queue": {"QueueName": NAME},
    "AWS::SecretsManager::Secret": {"Name": NAME, "SecretString": "{}"},
}  # fmt: skip


@pytest.fixture
def reasons(deploy_stack: Callable, root: Any) -> Callable[..., dict[str, str]]:
    def deploy(resources: dict[str, tuple[str, dict[str, Any]]], name: str = "fails") -> dict[str, str]:
        """Create a stack that fails: the reasons by logical id."""
        body = {key: {"Type": kind, "Properties": properties} for key, (kind, properties) in resources.items()}
        with pytest.raises(WaiterError):
            deploy_stack({"Resources": body}, name)
        return failures(root, name, "CREATE_FAILED")

    return deploy


def failures(root: Any, stack: str, status: str) -> dict[str, str]:
    events = root("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    return {event["LogicalResourceId"]: event["ResourceStatusReason"] for event in events
            if event["ResourceStatus"] == status and event["LogicalResourceId"] != stack}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_a_name_that_is_taken_is_refused(kind: str, deploy_stack: Callable, root: Any) -> None:
    body = {"Resources": {"One": {"Type": kind, "Properties": NAMED[kind]}}}
    deploy_stack(body, "first")
    with pytest.raises(WaiterError):
        deploy_stack(body, "second")
    events = root("cloudformation").describe_stack_events(StackName="second")["StackEvents"]
    reasons = {event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "CREATE_FAILED"}
    # A bucket is looked up before anything is made, and its reason told by DescribeEvents, which this boto3 lacks.
    expected = "Validation failed with 1 error" if kind == "AWS::S3::Bucket" else "already exists"
    assert any(expected in reason for reason in reasons)


VPC = ("AWS::EC2::VPC", {"CidrBlock": "10.7.0.0/16"})
SUBNET = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.7.1.0/24"}
BLOCKS = {
    "a network": ({"Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.7.0.0/33"})},
                  "Value (10.7.0.0/33) for parameter cidrBlock is invalid. This is not a valid CIDR block."),
    "a subnet": ({"Vpc": VPC, "Subnet": ("AWS::EC2::Subnet", {**SUBNET, "CidrBlock": "10.7.300.0/24"})},
                 "Value (10.7.300.0/24) for parameter cidrBlock is invalid."),
    "outside": ({"Vpc": VPC, "Subnet": ("AWS::EC2::Subnet", {**SUBNET, "CidrBlock": "10.6.1.0/24"})},
                "The CIDR '10.6.1.0/24' is invalid: it lies outside 10.7.0.0/16."),
    "overlap": ({"Vpc": VPC, "Subnet": ("AWS::EC2::Subnet", SUBNET), "Second": ("AWS::EC2::Subnet", SUBNET)},
                "The CIDR '10.7.1.0/24' conflicts with another subnet"),
    "a rule": ({"Vpc": VPC, "Group": ("AWS::EC2::SecurityGroup", {
        "GroupDescription": "g", "VpcId": {"Ref": "Vpc"},
        "SecurityGroupIngress": [{"IpProtocol": "-1", "CidrIp": "anywhere"}]})},
        "Value (anywhere) for parameter cidrBlock is invalid."),
}  # fmt: skip


@pytest.mark.parametrize("case", BLOCKS)
def test_an_invalid_address_range_fails_with_its_reason(case: str, reasons: Callable) -> None:
    resources, reason = BLOCKS[case]
    found = reasons(resources)
    assert len(found) == 1 and reason in next(iter(found.values()))


def test_a_bucket_with_objects_is_kept_until_it_is_empty(deploy_stack: Callable, root: Any) -> None:
    cloudformation, s3 = root("cloudformation"), root("s3")
    deploy_stack({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": NAME}}}}, "full")
    s3.put_object(Bucket=NAME, Key="a", Body=b"data")
    cloudformation.delete_stack(StackName="full")
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="full", WaiterConfig=PATIENTLY)
    assert "not empty" in failures(root, "full", "DELETE_FAILED")["Bucket"]
    assert s3.get_object(Bucket=NAME, Key="a")["Body"].read() == b"data"
    s3.delete_object(Bucket=NAME, Key="a")


def test_what_could_not_be_deleted_can_be_left_behind(deploy_stack: Callable, root: Any) -> None:
    cloudformation, s3 = root("cloudformation"), root("s3")
    deploy_stack({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": NAME}}}}, "leaves")
    s3.put_object(Bucket=NAME, Key="a", Body=b"data")
    cloudformation.delete_stack(StackName="leaves")
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="leaves", WaiterConfig=PATIENTLY)
    cloudformation.delete_stack(StackName="leaves", RetainResources=["Bucket"])
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="leaves", WaiterConfig=PATIENTLY)
    s3.delete_object(Bucket=NAME, Key="a")
    s3.delete_bucket(Bucket=NAME)


def test_ref_of_a_secret_is_its_arn(deploy_stack: Callable) -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": NAME, "SecretString": "{}"}}
    outputs = deploy_stack({"Resources": {"Secret": secret}, "Outputs": {"Arn": {"Value": {"Ref": "Secret"}}}})
    assert outputs["Arn"].startswith(f"arn:aws:secretsmanager:us-east-1:000000000000:secret:{NAME}-")


# A workgroup and a group of models that are only configuration, and after them a resource that fails.
BROKEN = {"Type": "AWS::EC2::VPC", "DependsOn": "Group", "Properties": {"CidrBlock": "10.0.0.0/99"}}


def group(description: str) -> dict[str, Any]:
    properties = {"ModelPackageGroupName": NAME, "ModelPackageGroupDescription": description}
    return {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}


def test_a_creation_that_fails_in_the_middle_leaves_nothing(root: Any) -> None:
    cloudformation = root("cloudformation")
    for _ in range(2):  # what had been left would refuse the second
        body = {"Resources": {"Group": group("one"), "Broken": BROKEN}}
        cloudformation.create_stack(StackName="middle", TemplateBody=json.dumps(body))
        with pytest.raises(WaiterError):
            cloudformation.get_waiter("stack_create_complete").wait(StackName="middle", WaiterConfig=PATIENTLY)
        assert set(failures(root, "middle", "CREATE_FAILED")) == {"Broken"}
        assert cloudformation.describe_stacks(StackName="middle")["Stacks"][0]["StackStatus"] == "ROLLBACK_COMPLETE"
        cloudformation.delete_stack(StackName="middle")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="middle", WaiterConfig=PATIENTLY)


def test_an_update_that_fails_in_the_middle_gives_back_what_was_there(deploy_stack: Callable, root: Any) -> None:
    cloudformation = root("cloudformation")
    deploy_stack({"Resources": {"Group": group("one")}}, "middle")
    body = {"Resources": {"Group": group("two"), "Broken": BROKEN}}
    cloudformation.update_stack(StackName="middle", TemplateBody=json.dumps(body))
    with pytest.raises(WaiterError):
        cloudformation.get_waiter("stack_update_complete").wait(StackName="middle", WaiterConfig=PATIENTLY)
    assert cloudformation.describe_stacks(StackName="middle")["Stacks"][0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    found = root("sagemaker").describe_model_package_group(ModelPackageGroupName=NAME)
    assert found["ModelPackageGroupDescription"] == "one"
    assert json.loads(json.dumps(cloudformation.get_template(StackName="middle")["TemplateBody"])) == {
        "Resources": {"Group": group("one")}
    }
