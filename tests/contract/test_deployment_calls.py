"""What a deployment role must allow for each type: the list, and that CloudFormation holds a role to it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import WaiterError

from tests.contract.conftest import PATIENTLY
from tests.local_postgres import AWS_VENV

LIST = Path(__file__).parents[2] / "local" / "extensions" / "deployment_calls.yaml"
CALLS = yaml.safe_load(LIST.read_text())
SCHEMAS = next(AWS_VENV.glob("lib/python3.*/site-packages/cfnlint/data/schemas"))
PREFIX = "arn:aws:{}:us-east-1:000000000000:"
BEYOND_SCHEMAS = {
    "cloudfront:allowvendedlogdeliveryforresource",  # of the service whose logs are delivered
    "route53:associatevpcwithhostedzone",  # of an endpoint with private names, as the list of EC2's actions says
}
ROLE = "arn:aws:iam::000000000000:role/deploys"
# Read calls of the schemas that the platform does without, for drift too: they change, hand out or reveal something.
NOT_READ = {
    "cognito-idp:ListUserPoolClientSecrets": "secrets; the client of the web site has none",
    "glue:CreateTable": "a change",
    "iam:PassRole": "nothing is passed by looking",
    "kms:Decrypt": "data; the variables of functions are under a key that every DAG may use",
    "lakeformation:CreateTable": "a change",
    "lakeformation:GetDataAccess": "lends data",
    "secretsmanager:GetSecretValue": "a secret; CloudFormation does not compare its value",
    "vpc-lattice:DescribeServiceNetworkVpcEndpointAssociation": "IAM knows no such action",
}


def schema(kind: str) -> dict[str, Any]:
    files = json.loads((SCHEMAS / "providers" / "us-east-1.json").read_text())
    return json.loads((SCHEMAS / "resources" / f"{files[kind]}.json").read_text())


def test_the_listed_calls_are_those_of_the_resource_schemas() -> None:
    for kind, rule in CALLS.items():
        found = schema(kind)
        known = {call.lower() for step in found.get("handlers", {}).values() for call in step.get("permissions", [])}
        by_property = [calls for section in ("properties", "changes", "removals")
                       for calls in rule.get(section, {}).values()]  # fmt: skip
        steps = [rule.get(step, []) for step in ("create", "update", "delete", "read")]
        listed = {call.split(" ")[0].lower() for calls in (*steps, *by_property) for call in calls}
        names = {name.split(".")[0] for section in ("properties", "changes", "removals", "roles")
                 for name in rule.get(section, {})}  # fmt: skip
        assert names <= set(found["properties"]), kind
        assert not known or listed <= known | BEYOND_SCHEMAS, kind  # three types have no handlers in their schema


@pytest.mark.parametrize("kind", sorted(kind for kind, rule in CALLS.items() if "read" in rule))
def test_drift_reads_what_the_schema_lists_but_for_what_has_a_reason(kind: str) -> None:
    listed = {call.split(" ")[0] for call in CALLS[kind]["read"]}
    known = schema(kind).get("handlers", {}).get("read", {}).get("permissions", [])
    assert listed == {call.replace("CloudTrail:", "cloudtrail:") for call in known} - set(NOT_READ)


@pytest.fixture
def deploy(root: Any, make_role: Callable) -> Iterator[Callable[..., str]]:
    cloudformation = root("cloudformation")

    def run(statements: list[dict[str, Any]], kind: str, properties: dict[str, Any], **more: Any) -> str:
        """Create a stack of one resource under a role; the reason of the first failure, or ''."""
        make_role("deploys", statements, ("cloudformation.amazonaws.com",))
        body = {"Resources": {"One": {"Type": kind, "Properties": properties}}}
        change_set = cloudformation.create_change_set(
            StackName="under-a-role", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(body),
            RoleARN=ROLE, Capabilities=["CAPABILITY_NAMED_IAM"], **more,
        )["Id"]  # fmt: skip
        cloudformation.execute_change_set(ChangeSetName=change_set)
        wait("create")
        return reason("CREATE_FAILED")

    def wait(step: str) -> None:
        try:
            cloudformation.get_waiter(f"stack_{step}_complete").wait(StackName="under-a-role", WaiterConfig=PATIENTLY)
        except WaiterError:
            assert reason(f"{step.upper()}_FAILED")

    def reason(status: str) -> str:
        events = cloudformation.describe_stack_events(StackName="under-a-role")["StackEvents"]
        return next((e["ResourceStatusReason"] for e in events if e["ResourceStatus"] == status
                     and e["LogicalResourceId"] == "One"), "")  # fmt: skip

    yield run
    root("iam").put_role_policy(RoleName="deploys", PolicyName="main", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [allow("*", "*")]}))  # fmt: skip
    cloudformation.delete_stack(StackName="under-a-role")
    wait("delete")


def allow(action: Any, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


# type, properties, what the role may do, what it is refused: its own resource, a property's call, a call without
# resource, a role that it passes on
REFUSED = {
    "another name": (
        "AWS::Athena::WorkGroup", {"Name": "theirs"}, [allow("athena:*", PREFIX.format("athena") + "workgroup/ours")],
        f"athena:CreateWorkGroup on resource: {PREFIX.format('athena')}workgroup/theirs",
    ),
    "a nested name": (
        "AWS::Budgets::Budget", {"Budget": {"BudgetName": "theirs", "BudgetType": "COST", "TimeUnit": "MONTHLY"}},
        [allow("budgets:*", "arn:aws:budgets::000000000000:budget/ours")],
        "budgets:ModifyBudget on resource: arn:aws:budgets::000000000000:budget/theirs",
    ),
    "a property": (
        "AWS::Kinesis::Stream", {"Name": "s", "ShardCount": 1, "RetentionPeriodHours": 48},
        [allow(["kinesis:CreateStream", "kinesis:DescribeStreamSummary"], "*")],
        f"kinesis:IncreaseStreamRetentionPeriod on resource: {PREFIX.format('kinesis')}stream/s",
    ),
    "no resource": (
        "AWS::Logs::QueryDefinition", {"Name": "q", "QueryString": "fields @message"},
        [allow("logs:*", PREFIX.format("logs") + "*")], "logs:PutQueryDefinition on resource: *",
    ),
    "a passed role": (
        "AWS::Events::Rule",
        {"Name": "r", "ScheduleExpression": "rate(1 day)",
         "Targets": [{"Id": "t", "Arn": "arn:aws:sqs:us-east-1:000000000000:q", "RoleArn": f"{ROLE}-other"}]},
        [allow("events:*", "*"), {**allow("iam:PassRole", "*"),
                                  "Condition": {"StringEquals": {"iam:PassedToService": "glue.amazonaws.com"}}}],
        f"iam:PassRole on resource: {ROLE}-other",
    ),
    "stack tags": (
        "AWS::EC2::NetworkAcl", {"VpcId": "vpc-1"},
        [allow(["ec2:CreateNetworkAcl", "ec2:DescribeNetworkAcls"], "*")],
        f"ec2:CreateTags on resource: {PREFIX.format('ec2')}network-acl/new",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_deployment_role_is_held_to_its_policies(case: str, deploy: Callable) -> None:
    kind, properties, statements, refused = REFUSED[case]
    tags = [{"Key": "Project", "Value": "concerts"}]
    assert deploy(statements, kind, properties, Tags=tags).endswith(f"is not authorized to perform: {refused}")


def test_a_type_outside_the_list_is_refused_under_a_role(deploy: Callable) -> None:
    reason = deploy([allow("*", "*")], "AWS::SSM::Parameter", {"Type": "String", "Value": "v"})
    assert "AWS::SSM::Parameter is not in local/extensions/deployment_calls.yaml" in reason


def test_a_deployment_role_with_the_listed_calls_creates_the_resource(deploy: Callable) -> None:
    calls = ["kinesis:CreateStream", "kinesis:AddTagsToStream", *CALLS["AWS::Kinesis::Stream"]["read"]]
    statements = [allow(calls, PREFIX.format("kinesis") + "stream/s")]
    assert deploy(statements, "AWS::Kinesis::Stream", {"Name": "s", "ShardCount": 1}) == ""


def test_drift_is_read_with_the_permissions_of_whoever_asks(
    deploy: Callable, make_role: Callable, emulator: Any
) -> None:
    queue = PREFIX.format("sqs") + "q"
    deploy([allow("*", "*")], "AWS::SQS::Queue", {"QueueName": "q"})

    def detect(role: str, actions: list[str]) -> dict[str, Any]:
        make_role(role, [allow("cloudformation:*", "*"), allow(actions, queue)])
        client = emulator.role_client("cloudformation", role)
        detection_id = client.detect_stack_drift(StackName="under-a-role")["StackDriftDetectionId"]
        return client.describe_stack_drift_detection_status(StackDriftDetectionId=detection_id)

    refused = detect("sees-tags", ["sqs:ListQueueTags"])
    assert (refused["DetectionStatus"], refused["StackDriftStatus"]) == ("DETECTION_FAILED", "UNKNOWN")
    assert json.loads(refused["DetectionStatusReason"])["Failures"] == [
        {"Resource": "One", "FailureReason": "arn:aws:iam::000000000000:role/sees-tags is not authorized to perform: "
                                             f"sqs:GetQueueAttributes on resource: {queue}"}
    ]  # fmt: skip
    allowed = detect("sees-all", ["sqs:GetQueueAttributes", "sqs:ListQueueTags"])
    assert (allowed["DetectionStatus"], allowed["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC")


def tagged(key: str, value: str = "concerts") -> dict[str, Any]:
    return {"Condition": {"StringEquals": {f"aws:{key}/Project": value}}}


DESCRIBE = allow(["ec2:DescribeNetworkAcls", "ec2:DescribeTags"], "*")
# What a role may do with a network ACL that the stack's tags reach, and what it is refused.
TAGGED = {
    "tags in the request": ([allow(["ec2:CreateNetworkAcl", "ec2:CreateTags"], "*") | tagged("RequestTag")], ""),
    "other tags in the request": (
        [allow(["ec2:CreateNetworkAcl", "ec2:CreateTags"], "*") | tagged("RequestTag", "theirs")],
        "ec2:CreateNetworkAcl"),
    "no tags before it exists": (
        [allow("ec2:CreateNetworkAcl", "*") | tagged("ResourceTag"), allow("ec2:CreateTags", "*")],
        "ec2:CreateNetworkAcl"),
}  # fmt: skip


@pytest.mark.parametrize("case", TAGGED)
def test_conditions_on_tags_see_the_tags_of_the_stack(case: str, deploy: Callable) -> None:
    statements, refused = TAGGED[case]
    tags = [{"Key": "Project", "Value": "concerts"}]
    reason = deploy([DESCRIBE, *statements], "AWS::EC2::NetworkAcl", {"VpcId": "vpc-1"}, Tags=tags)
    assert reason.partition("to perform: ")[2].partition(" ")[0] == refused


def test_a_part_has_the_tags_of_what_it_belongs_to(deploy: Callable) -> None:
    entry = {"NetworkAclId": "acl-1", "RuleNumber": 1, "Protocol": -1, "RuleAction": "allow", "CidrBlock": "10.0.0.0/8"}
    statements = [allow("ec2:CreateNetworkAclEntry", "*") | tagged("ResourceTag", "theirs"), DESCRIBE]
    tags = [{"Key": "Project", "Value": "concerts"}]
    reason = deploy(statements, "AWS::EC2::NetworkAclEntry", entry, Tags=tags)
    assert "ec2:CreateNetworkAclEntry on resource: " + PREFIX.format("ec2") + "network-acl/acl-1" in reason
