"""What is there already: a create that AWS would refuse is refused, and what a stack left behind can be imported.

ministack overwrites some resources of the same name, with all that they hold, and takes any CIDR block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

from ministack.services import (
    apigateway_v1,
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    dynamodb,
    ec2,
    eventbridge,
    iam,
    kinesis,
    kms,
    lambda_svc,
    secretsmanager,
    sns,
    sqs,
)
from ministack.services.cloudformation import handlers, helpers, provisioners, stacks

Properties = dict[str, Any]


def _values(store: Mapping[str, Mapping[str, Any]], key: str) -> set[str]:
    return {str(record.get(key)) for record in store.values()}


# type -> the property that names it, and the names that are taken
TAKEN: dict[str, tuple[str, Callable[[], Any]]] = {
    "AWS::ApiGateway::ApiKey": ("Name", lambda: _values(apigateway_v1._api_keys, "name")),
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda: cloudwatch._alarms),
    "AWS::CloudWatch::Dashboard": ("DashboardName", lambda: cloudwatch._dashboards),
    "AWS::DynamoDB::Table": ("TableName", lambda: dynamodb._tables),
    "AWS::Events::Rule": ("Name", lambda: _values(eventbridge._rules, "Name")),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", lambda: _values(iam._policies, "PolicyName")),
    "AWS::IAM::Role": ("RoleName", lambda: iam._roles),
    "AWS::KMS::Alias": ("AliasName", lambda: {arn.rpartition(":")[2] for arn in kms._aliases}),
    "AWS::Kinesis::Stream": ("Name", lambda: kinesis._streams),
    "AWS::Lambda::Function": ("FunctionName", lambda: lambda_svc._functions),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda: cloudwatch_logs._log_groups),
    "AWS::SNS::Topic": ("TopicName", lambda: _values(sns._topics, "name")),
    "AWS::SQS::Queue": ("QueueName", lambda: _values(sqs._queues, "name")),
    "AWS::SecretsManager::Secret": ("Name", lambda: secretsmanager._secrets),
}
CIDR_PROPERTIES = ("CidrBlock", "CidrIp", "DestinationCidrBlock")

_original_provision = stacks._provision_resource


def provision_resource(kind: str, logical_id: str, properties: Properties, stack_name: str) -> tuple:
    """:raises ValueError: in the words of the service that would refuse the creation"""
    name_property, names = TAKEN.get(kind, ("", dict))
    name = properties.get(name_property)
    if name and name in names():
        raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
    if kind.startswith("AWS::EC2::"):
        _check_blocks(properties)
    if kind == "AWS::EC2::Subnet":
        _check_subnet(properties)
    return _original_provision(kind, logical_id, properties, stack_name)


def _check_blocks(value: Any, name: str = "") -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _check_blocks(item, key)
    elif isinstance(value, list):
        for item in value:
            _check_blocks(item)
    elif name in CIDR_PROPERTIES:
        _network(str(value))


def _network(block: str) -> IPv4Network:
    try:
        return IPv4Network(ip_network(block, strict=False)) if "/" in block else IPv4Network("")
    except ValueError:
        raise ValueError(
            f"Value ({block}) for parameter cidrBlock is invalid. This is not a valid CIDR block. "
            "(Service: Ec2, Status Code: 400)"
        ) from None


def _check_subnet(properties: Properties) -> None:
    block, vpc = properties.get("CidrBlock"), ec2._vpcs.get(properties.get("VpcId", ""))
    if not block or vpc is None:
        return
    if not _network(block).subnet_of(_network(vpc["CidrBlock"])):
        raise ValueError(f"The CIDR '{block}' is invalid: it lies outside {vpc['CidrBlock']}. (Service: Ec2)")
    for other in ec2._subnets.values():
        if other["VpcId"] == vpc["VpcId"] and _network(block).overlaps(_network(other["CidrBlock"])):
            raise ValueError(f"The CIDR '{block}' conflicts with another subnet, {other['SubnetId']}. (Service: Ec2)")


# ---------------------------------------------------------------- imports that ministack lacks


def _import_stream(identifier: Mapping[str, str]) -> tuple[str, Properties]:
    stream = kinesis._streams[identifier["Name"]]
    return identifier["Name"], {"Arn": stream["StreamARN"]}


def _not_found(kind: str, names: Callable[[], Any]) -> Callable[[str], str | None]:
    def problem(name: str) -> str | None:
        return None if name in names() else f"Resource of type '{kind}' with identifier '{name}' was not found."

    return problem


# ---------------------------------------------------------------- whose a resource is

_original_describe_resources = handlers._describe_stack_resources


def describe_stack_resources(params: dict[str, Any]) -> tuple:
    """Also by the id of a resource: all that its stack holds."""
    wanted = helpers._p(params, "PhysicalResourceId")
    if not wanted:
        return _original_describe_resources(params)
    for name, stack in cloudformation._stacks.items():
        held = (record.get("PhysicalResourceId") for record in stack.get("_resources", {}).values())
        if stack.get("StackStatus") != "DELETE_COMPLETE" and wanted in held:
            return _original_describe_resources({**params, "StackName": [stack.get("StackName", name)]})
    return helpers._error("ValidationError", f"Stack for {wanted} does not exist")


# ---------------------------------------------------------------- a secret is known by its ARN


def _secret(arn: str) -> Properties:
    return next((secret for secret in secretsmanager._secrets.values() if secret["ARN"] == arn), {"Name": arn})


def _create_secret(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
    _, attributes = provisioners._sm_secret_create(logical_id, properties, stack_name)
    return attributes["Arn"], attributes


def _update_secret(
    arn: str, old: Properties, new: Properties, stack_name: str, logical_id: str
) -> tuple[str, Properties]:
    _, attributes = provisioners._sm_secret_update(_secret(arn)["Name"], old, new, stack_name, logical_id)
    return attributes["Arn"], attributes


def _delete_secret(arn: str, properties: Properties) -> None:
    provisioners._sm_secret_delete(_secret(arn)["Name"], properties)


def _read_secret(arn: str, properties: Properties) -> Properties | None:
    secret = _secret(arn)
    if "ARN" not in secret:
        return None
    tags = provisioners._tag_map(secret.get("Tags"))
    return {"Name": secret["Name"], "Description": secret.get("Description", ""), "Tags": tags}


RESOURCE_TYPES: dict[str, dict[str, Any]] = {
    "AWS::Kinesis::Stream": {
        "import": _import_stream,
        "import_problem": _not_found("AWS::Kinesis::Stream", lambda: kinesis._streams),
    },
    "AWS::SecretsManager::Secret": {
        "create": _create_secret,
        "update": _update_secret,
        "update_with_logical_id": True,
        "delete": _delete_secret,
        "read": _read_secret,
        "reads": ("Name", "Description", "Tags"),
        "import": lambda identifier: (identifier["Id"], {"Id": identifier["Id"], "Arn": identifier["Id"]}),
        "import_problem": _not_found(
            "AWS::SecretsManager::Secret", lambda: _values(secretsmanager._secrets, "ARN")
        ),
    },
}  # fmt: skip
PATCHES = {
    "ministack.services.cloudformation.handlers._describe_stack_resources": describe_stack_resources,
    "ministack.services.cloudformation.stacks._provision_resource": provision_resource,
}
