"""What drift detection reads of each type: a fresh stack is in sync, tags and all, and a change by hand is found."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.conftest import PATIENTLY

NAME = "drift-readers"
TAGS = [{"Key": "Project", "Value": "concerts"}]
KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-1111-1111-1111-111111111111"
GROUP = {"Fn::GetAtt": ["Group", "GroupId"]}
BUCKET = {
    "BucketName": NAME,
    "VersioningConfiguration": {"Status": "Enabled"},
    "BucketEncryption": {"ServerSideEncryptionConfiguration": [
        {"BucketKeyEnabled": True,
         "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}]},
    "PublicAccessBlockConfiguration": dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True),
    "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    "LoggingConfiguration": {"LogFilePrefix": "own/"},
    "LifecycleConfiguration": {"Rules": [
        {"Id": "move", "Status": "Enabled", "Prefix": "raw/",
         "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": "90"}]},
        {"Id": "clean", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
         "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 10}]},
        {"Id": "tagged", "Status": "Disabled", "TagFilters": [{"Key": "a", "Value": "b"}], "ExpirationInDays": 1}]},
    "Tags": [{"Key": "Own", "Value": "tag"}],
}  # fmt: skip
TABLE = {
    "TableName": NAME,
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
}
FUNCTION = {
    "FunctionName": NAME, "Runtime": "python3.12", "Handler": "index.handler", "Code": {"ZipFile": "handler = print"},
    "Role": "arn:aws:iam::000000000000:role/lambda", "ReservedConcurrentExecutions": 5, "KmsKeyArn": KEY,
    "DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Queue", "Arn"]}}, "TracingConfig": {"Mode": "Active"},
    "VpcConfig": {"SubnetIds": [{"Ref": "Subnet"}], "SecurityGroupIds": [GROUP]},
}  # fmt: skip
JOB = {
    "Name": NAME, "Role": "arn:aws:iam::000000000000:role/glue", "GlueVersion": "5.1", "WorkerType": "G.1X",
    "NumberOfWorkers": 2, "DefaultArguments": {"--a": "b"},
    "Command": {"Name": "glueetl", "ScriptLocation": "s3://b/job.py", "PythonVersion": "3"},
}  # fmt: skip
RULE = {"GroupId": GROUP, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
RESOURCES = {
    "Vpc": ("AWS::EC2::VPC", {"CidrBlock": "10.8.0.0/16"}),
    "Subnet": ("AWS::EC2::Subnet", {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.8.1.0/24"}),
    "Group": ("AWS::EC2::SecurityGroup", {
        "GroupDescription": "g", "VpcId": {"Ref": "Vpc"},
        "SecurityGroupEgress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0",
                                 "Description": "out"}]}),
    "Ingress": ("AWS::EC2::SecurityGroupIngress", {**RULE, "SourceSecurityGroupId": GROUP}),
    "Egress": ("AWS::EC2::SecurityGroupEgress", {**RULE, "CidrIp": "10.8.0.0/16"}),
    "Bucket": ("AWS::S3::Bucket", BUCKET),
    "Table": ("AWS::DynamoDB::Table", TABLE),
    "Queue": ("AWS::SQS::Queue", {"QueueName": NAME}),
    "Function": ("AWS::Lambda::Function", FUNCTION),
    "Job": ("AWS::Glue::Job", JOB),
    "Stream": ("AWS::Kinesis::Stream", {
        "Name": NAME, "ShardCount": 1, "RetentionPeriodHours": 48,
        "StreamEncryption": {"EncryptionType": "KMS", "KeyId": KEY}}),
    "Query": ("AWS::Logs::QueryDefinition", {"Name": "q", "QueryString": "fields @message"}),
    "Secret": ("AWS::SecretsManager::Secret", {"Name": NAME, "Description": "d", "SecretString": "{}"}),
}  # fmt: skip
TEMPLATE = {"Resources": {key: {"Type": kind, "Properties": props} for key, (kind, props) in RESOURCES.items()}}


@pytest.fixture
def drifts(deploy_stack: Callable, root: Any) -> Callable[[], dict[str, Any]]:
    deploy_stack(TEMPLATE, NAME, Tags=TAGS)
    cloudformation = root("cloudformation")

    def detect() -> dict[str, Any]:
        """Logical id -> what drifted: paths of properties, or the status."""
        cloudformation.detect_stack_drift(StackName=NAME)
        found = cloudformation.describe_stack_resource_drifts(StackName=NAME)["StackResourceDrifts"]
        return {one["LogicalResourceId"]: sorted(diff["PropertyPath"] for diff in one.get("PropertyDifferences", []))
                or one["StackResourceDriftStatus"] for one in found
                if one["StackResourceDriftStatus"] != "IN_SYNC"}  # fmt: skip

    return detect


def physical(root: Any, logical_id: str) -> str:
    found = root("cloudformation").describe_stack_resources(StackName=NAME, LogicalResourceId=logical_id)
    return found["StackResources"][0]["PhysicalResourceId"]


def test_a_fresh_stack_is_in_sync_and_its_tags_are_no_drift(drifts: Callable, root: Any) -> None:
    assert drifts() == {}
    assert {"Key": "Project", "Value": "concerts"} in root("s3").get_bucket_tagging(Bucket=NAME)["TagSet"]


def rules(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"Bucket": NAME, "LifecycleConfiguration": {"Rules": list(rules)}}


# what is done by hand -> service, call, arguments, what is found
BY_HAND: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "versions suspended": ("s3", "put_bucket_versioning",
                           {"Bucket": NAME, "VersioningConfiguration": {"Status": "Suspended"}},
                           {"Bucket": ["/VersioningConfiguration/Status"]}),
    "lifecycle shortened": ("s3", "put_bucket_lifecycle_configuration", rules(
        {"ID": "move", "Status": "Enabled", "Filter": {"Prefix": "raw/"},
         "Transitions": [{"StorageClass": "STANDARD_IA", "Days": 30}]},
        {"ID": "clean", "Status": "Enabled", "Filter": {"Prefix": ""},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
         "NoncurrentVersionTransitions": [{"StorageClass": "GLACIER_IR", "NoncurrentDays": 10}]},
        {"ID": "tagged", "Status": "Disabled", "Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}},
         "Expiration": {"Days": 1}}),
        {"Bucket": ["/LifecycleConfiguration/Rules/0/Transitions/0/TransitionInDays"]}),
    "lifecycle gone": ("s3", "delete_bucket_lifecycle", {"Bucket": NAME},
                       {"Bucket": [f"/LifecycleConfiguration/Rules/{index}" for index in range(3)]}),
    "encryption changed": ("s3", "put_bucket_encryption", {"Bucket": NAME, "ServerSideEncryptionConfiguration": {
        "Rules": [{"BucketKeyEnabled": True, "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}},
        {"Bucket": [f"/BucketEncryption/ServerSideEncryptionConfiguration/0/ServerSideEncryptionByDefault/{key}"
                    for key in ("KMSMasterKeyID", "SSEAlgorithm")]}),
    "opened to the public": ("s3", "put_public_access_block", {"Bucket": NAME, "PublicAccessBlockConfiguration": {
        "BlockPublicAcls": True, "BlockPublicPolicy": False, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}},
        {"Bucket": ["/PublicAccessBlockConfiguration/BlockPublicPolicy"]}),
    "tags taken away": ("s3", "delete_bucket_tagging", {"Bucket": NAME}, {"Bucket": ["/Tags/0", "/Tags/1"]}),
    "recovery off": ("dynamodb", "update_continuous_backups",
                     {"TableName": NAME, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}},
                     {"Table": ["/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled"]}),
    "expiry off": ("dynamodb", "update_time_to_live",
                   {"TableName": NAME, "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": False}},
                   {"Table": ["/TimeToLiveSpecification/Enabled"]}),
    "encryption off": ("dynamodb", "update_table", {"TableName": NAME, "SSESpecification": {"Enabled": False}},
                       {"Table": ["/SSESpecification/KMSMasterKeyId", "/SSESpecification/SSEEnabled"]}),
    "stream in clear": ("kinesis", "stop_stream_encryption",
                        {"StreamName": NAME, "EncryptionType": "KMS", "KeyId": KEY},
                        {"Stream": ["/StreamEncryption/EncryptionType", "/StreamEncryption/KeyId"]}),
    "more concurrency": ("lambda", "put_function_concurrency",
                         {"FunctionName": NAME, "ReservedConcurrentExecutions": 50},
                         {"Function": ["/ReservedConcurrentExecutions"]}),
    "out of the network": ("lambda", "update_function_configuration",
                           {"FunctionName": NAME, "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}},
                           {"Function": ["/VpcConfig/SecurityGroupIds/0", "/VpcConfig/SubnetIds/0"]}),
    "more workers": ("glue", "update_job", {"JobName": NAME, "JobUpdate": {
        **{key: JOB[key] for key in ("Role", "Command", "GlueVersion", "WorkerType")},
        "DefaultArguments": {"--a": "c"}, "NumberOfWorkers": 9}},
        {"Job": ["/DefaultArguments/--a", "/NumberOfWorkers"]}),
    "secret described anew": ("secretsmanager", "update_secret", {"SecretId": NAME, "Description": "new"},
                              {"Secret": ["/Description"]}),
    "job deleted": ("glue", "delete_job", {"JobName": NAME}, {"Job": "DELETED"}),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND)
def test_a_change_by_hand_is_found(case: str, drifts: Callable, root: Any) -> None:
    service, call, arguments, expected = BY_HAND[case]
    getattr(root(service), call)(**arguments)
    assert drifts() == expected


def open_port(group: str, port: int) -> dict[str, Any]:
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    return {"GroupId": group, "IpPermissions": [permission]}


def test_a_port_opened_by_hand_is_found_in_a_group_that_declares_none(drifts: Callable, root: Any) -> None:
    group = physical(root, "Group")
    root("ec2").authorize_security_group_ingress(**open_port(group, 22))
    assert drifts() == {"Group": ["/SecurityGroupIngress/0"]}


def test_a_rule_that_is_a_resource_of_its_own_is_missed_when_revoked(drifts: Callable, root: Any) -> None:
    group = physical(root, "Group")
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": group}]}
    root("ec2").revoke_security_group_ingress(GroupId=group, IpPermissions=[permission])
    assert drifts() == {"Ingress": "DELETED"}


def test_an_update_that_drops_a_property_drops_it_from_the_bucket(drifts: Callable, root: Any) -> None:
    smaller = json.loads(json.dumps(TEMPLATE))
    del smaller["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]
    root("cloudformation").update_stack(StackName=NAME, TemplateBody=json.dumps(smaller), Tags=TAGS)
    root("cloudformation").get_waiter("stack_update_complete").wait(StackName=NAME, WaiterConfig=PATIENTLY)
    with pytest.raises(root("s3").exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        root("s3").get_bucket_lifecycle_configuration(Bucket=NAME)
    assert drifts() == {}
