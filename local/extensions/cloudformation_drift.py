"""Drift detection of the types that ministack does not read, or reads in part.

A reader answers with the properties of a resource as they are, in the template's shape, or None when it is gone;
`reads` names the properties that it knows. Some types also get here what ministack drops when a stack makes them:
recovery, expiry and encryption of a table, encryption of a stream, network, key, dead letters and reserved concurrency
of a function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import cloudformation, dynamodb, ec2, glue, kinesis, kms, lambda_svc
from ministack.services.cloudformation import drift, provisioners

Properties = dict[str, Any]
GROUP, TABLE, FUNCTION = "AWS::EC2::SecurityGroup", "AWS::DynamoDB::Table", "AWS::Lambda::Function"
STREAM = "AWS::Kinesis::Stream"

# ---------------------------------------------------------------- security groups


def _template_rules(permissions: list[Properties], peer: str) -> list[Properties]:
    """Rules as a template has them, one for each range and group that a permission names."""
    rules = []
    for permission in permissions:
        ports: Properties = {key: permission[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in permission}
        for section, theirs, ours in (
            ("IpRanges", "CidrIp", "CidrIp"), ("Ipv6Ranges", "CidrIpv6", "CidrIpv6"),
            ("PrefixListIds", "PrefixListId", f"{peer}PrefixListId"),
            ("UserIdGroupPairs", "GroupId", f"{peer}SecurityGroupId"),
        ):  # fmt: skip
            for one in permission.get(section, []):
                described = {"Description": one["Description"]} if one.get("Description") else {}
                rules.append({**ports, ours: one.get(theirs), **described})
    return rules


def _rules_of_their_own(group_id: str, kind: str) -> list[Properties]:
    """Rules of a group that are resources of some stack, not part of the group."""
    records = [record for stack in cloudformation._stacks.values() for record in stack.get("_resources", {}).values()]
    return [provisioners._ec2_sg_permissions([record["Properties"]])[0] for record in records
            if record.get("ResourceType") == kind and record["Properties"].get("GroupId") == group_id]  # fmt: skip


def read_group(group_id: str, properties: Properties) -> Properties | None:
    group = ec2._security_groups.get(group_id)
    if group is None:
        return None
    found = {"GroupName": group["GroupName"], "GroupDescription": group["Description"], "VpcId": group["VpcId"],
             "Tags": ec2._tags.get(group_id) or []}  # fmt: skip
    for section, name, peer in (
        ("IpPermissions", "SecurityGroupIngress", "Source"),
        ("IpPermissionsEgress", "SecurityGroupEgress", "Destination"),
    ):
        others = _rules_of_their_own(group_id, f"AWS::EC2::{name}")
        found[name] = _template_rules([rule for rule in group.get(section, []) if rule not in others], peer)
    return found


_original_expected = drift._expected_properties


def expected_properties(kind: str, properties: Properties, known: frozenset[str], tags: list) -> Properties:
    """A group that declares no ingress expects none: AWS would not look at it, and a port opened by hand matters."""
    expected = _original_expected(kind, properties, known, tags)
    return {"SecurityGroupIngress": [], **expected} if kind == GROUP else expected


# ---------------------------------------------------------------- tables


def _apply_to_table(name: str, new: Properties, old: Properties) -> None:
    if (recovery := new.get("PointInTimeRecoverySpecification")) or "PointInTimeRecoverySpecification" in old:
        enabled = provisioners._cfn_bool((recovery or {}).get("PointInTimeRecoveryEnabled", False))
        dynamodb._pitr_settings[name] = enabled
    expiry = new.get("TimeToLiveSpecification") or {**(old.get("TimeToLiveSpecification") or {}), "Enabled": False}
    if expiry.get("AttributeName"):
        status = "ENABLED" if provisioners._cfn_bool(expiry["Enabled"]) else "DISABLED"
        dynamodb._ttl_settings[name] = {"TimeToLiveStatus": status, "AttributeName": expiry["AttributeName"]}
    if new.get("SSESpecification") != old.get("SSESpecification"):
        encryption = new.get("SSESpecification") or {}
        table = dynamodb._tables[name]
        table["SSEDescription"] = dynamodb._sse_description_from_spec(
            {**encryption, "Enabled": provisioners._cfn_bool(encryption.get("SSEEnabled", False))}
        )


def read_table(name: str, properties: Properties) -> Properties | None:
    found = drift._read_dynamodb_table(name, properties)
    if found is None:
        return None
    expiry, encryption = dynamodb._ttl_settings.get(name) or {}, dynamodb._tables[name].get("SSEDescription") or {}
    key = {"KMSMasterKeyId": encryption["KMSMasterKeyArn"]} if encryption.get("KMSMasterKeyArn") else {}
    kind = {"SSEType": encryption["SSEType"]} if encryption.get("SSEType") else {}
    recovery = bool(dynamodb._pitr_settings.get(name, False))
    return {
        **found,
        "PointInTimeRecoverySpecification": {**properties.get("PointInTimeRecoverySpecification", {}),
                                             "PointInTimeRecoveryEnabled": recovery},
        "TimeToLiveSpecification": {"Enabled": expiry.get("TimeToLiveStatus") == "ENABLED",
                                    "AttributeName": expiry.get("AttributeName", "")},
        "SSESpecification": _as_expected(properties.get("SSESpecification"),
                                         {"SSEEnabled": encryption.get("Status") == "ENABLED", **kind, **key}),
    }  # fmt: skip


def _as_expected(expected: Any, found: Properties) -> Properties:
    """What was found, without the defaults that the template leaves to AWS."""
    return {key: value for key, value in found.items() if key in (expected or {})}


# ---------------------------------------------------------------- streams


def _apply_to_stream(name: str, new: Properties, old: Properties) -> None:
    """Told by DescribeStream; the records are kept as they come."""
    if new.get("StreamEncryption") != old.get("StreamEncryption"):
        encryption = new.get("StreamEncryption") or {"EncryptionType": "NONE", "KeyId": None}
        kinesis._streams[name].update({key: encryption[key] for key in ("EncryptionType", "KeyId")})


def read_stream(name: str, properties: Properties) -> Properties | None:
    stream = kinesis._streams.get(name)
    if stream is None:
        return None
    encryption = {key: stream[key] for key in ("EncryptionType", "KeyId") if stream.get("KeyId")}
    return {"Name": name, "RetentionPeriodHours": stream["RetentionPeriodHours"], "StreamEncryption": encryption}


# ---------------------------------------------------------------- functions

_FUNCTION_CONFIG = {"VpcConfig": {}, "KmsKeyArn": "", "DeadLetterConfig": {}}  # and what a dropped one becomes


def _apply_to_function(name: str, new: Properties, old: Properties) -> None:
    given = {key: new.get(key, empty) for key, empty in _FUNCTION_CONFIG.items() if key in new or key in old}
    if "KmsKeyArn" in given:
        given["KMSKeyArn"] = given.pop("KmsKeyArn")
    if given:
        status, _, body = lambda_svc._update_config(name, given)
        if status >= 400:
            raise ValueError(f"AWS::Lambda::Function: {body!r}")
    reserved = new.get("ReservedConcurrentExecutions")
    if reserved is not None or "ReservedConcurrentExecutions" in old:
        lambda_svc._functions[name]["concurrency"] = None if reserved is None else int(reserved)


def read_function(name: str, properties: Properties) -> Properties | None:
    found = drift._read_lambda_function(name, properties)
    if found is None:
        return None
    function = lambda_svc._functions[name]
    config = function["config"]
    network = config.get("VpcConfig") or {}
    more = {"KmsKeyArn": config.get("KMSKeyArn"), "DeadLetterConfig": config.get("DeadLetterConfig"),
            "ReservedConcurrentExecutions": function.get("concurrency"),
            "VpcConfig": _as_expected(properties.get("VpcConfig"), network)}  # fmt: skip
    return {**found, **{key: value for key, value in more.items() if value not in (None, "", {})}}


# ---------------------------------------------------------------- jobs

JOB = ("Role", "Command", "DefaultArguments", "NonOverridableArguments", "Connections", "MaxRetries", "Timeout",
       "GlueVersion", "NumberOfWorkers", "WorkerType", "SecurityConfiguration", "Description", "Name")  # fmt: skip


def read_job(name: str, properties: Properties) -> Properties | None:
    job = glue._jobs.get(name)
    if job is None:
        return None
    return {**{key: job.get(key) for key in JOB}, "Tags": glue._tags.get(glue._arn("job", name)) or {}}


# ---------------------------------------------------------------- what they share


def _with(apply: Callable[..., None], kind: str) -> dict[str, Any]:
    """ministack's handlers with a second step; a creation that fails there leaves nothing behind."""
    original = provisioners._RESOURCE_HANDLERS[kind]

    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
        name, attributes = original["create"](logical_id, properties, stack_name)
        try:
            apply(name, properties, {})
        except ValueError:
            original["delete"](name, properties)
            raise
        return name, attributes

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str, logical_id: str) -> tuple:
        named = [logical_id] if original.get("update_with_logical_id") else []
        name, attributes = original["update"](physical_id, old, new, stack_name, *named)
        apply(name, new, old if name == physical_id else {})
        return name, attributes

    return {"create": create, "update": update, "update_with_logical_id": True}


def _exists(store: Callable[[], Any]) -> dict[str, Any]:
    return {"read": lambda physical_id, _: {} if physical_id in store() else None, "reads": ()}


RESOURCE_TYPES: dict[str, dict[str, Any]] = {
    GROUP: {"read": read_group, "reads": ("GroupName", "GroupDescription", "VpcId", "SecurityGroupIngress",
                                          "SecurityGroupEgress", "Tags")},
    TABLE: {**_with(_apply_to_table, TABLE), "read": read_table, "reads": (
        *drift._DRIFT_READERS[TABLE][1], "PointInTimeRecoverySpecification", "TimeToLiveSpecification",
        "SSESpecification")},
    FUNCTION: {**_with(_apply_to_function, FUNCTION), "read": read_function, "reads": (
        *drift._DRIFT_READERS[FUNCTION][1], "VpcConfig", "KmsKeyArn", "DeadLetterConfig",
        "ReservedConcurrentExecutions")},
    STREAM: {**_with(_apply_to_stream, STREAM), "read": read_stream, "reads": (
        "Name", "RetentionPeriodHours", "StreamEncryption")},
    "AWS::Glue::Job": {"read": read_job, "reads": (*JOB, "Tags")},
    "AWS::EC2::InternetGateway": _exists(lambda: ec2._internet_gateways),
    "AWS::EC2::RouteTable": _exists(lambda: ec2._route_tables),
    "AWS::EC2::Subnet": _exists(lambda: ec2._subnets),
    "AWS::EC2::VPC": _exists(lambda: ec2._vpcs),
    "AWS::EC2::VPCEndpoint": _exists(lambda: ec2._vpc_endpoints),
    "AWS::Glue::Database": _exists(lambda: glue._databases),
    "AWS::KMS::Key": _exists(lambda: kms._keys),
}  # fmt: skip
PATCHES = {"ministack.services.cloudformation.drift._expected_properties": expected_properties}
