"""CloudFormation works with the permissions of its service role, not with its own.

ministack ignores RoleARN. Here a caller needs iam:PassRole on it, and each resource of a stack that has a role is
created, changed and deleted only if that role (below its boundary) may make the calls that AWS would make for it: those
of the type itself and of each property that is set. A type without a rule is refused under a role, so that a template
cannot outgrow the table unnoticed. A stack without a role is not checked: it has its caller's permissions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, iam
from ministack.services.cloudformation import handlers, helpers, stacks

ROLE_KEY = "_role_arn"


@dataclass(frozen=True)
class Rule:
    """Calls for one type; {...} in the ARN is a property, `~` stands for arn:aws:<service>:<region>:<account>."""

    arn: str
    create: tuple[str, ...]
    delete: tuple[str, ...]
    update: tuple[str, ...] = ()
    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)  # property that names a role -> service it is passed to


def _ec2(name: str, *more: str, delete: str | None = None) -> Rule:
    return Rule(f"~:{name.lower()}/new", (f"ec2:Create{name}", *more), (delete or f"ec2:Delete{name}",))


def _api(path: str) -> Rule:
    return Rule(
        f"arn:aws:apigateway:{{region}}::/restapis{path}",
        ("apigateway:POST",), ("apigateway:DELETE",), ("apigateway:PATCH",),
    )  # fmt: skip


_REDSHIFT = "redshift-serverless"
_CATALOGUE = ("glue:GetDatabase",)

RULES: dict[str, Rule] = {
    "AWS::ApiGateway::Deployment": _api("/id/deployments"),
    "AWS::ApiGateway::Method": Rule("arn:aws:apigateway:{region}::/restapis/id/resources/id/methods/GET",
                                    ("apigateway:PUT",), ("apigateway:DELETE",), ("apigateway:PUT",)),
    "AWS::ApiGateway::Resource": _api("/id/resources"),
    "AWS::ApiGateway::RestApi": _api(""),
    "AWS::ApiGateway::Stage": _api("/id/stages"),
    "AWS::CloudFormation::WaitConditionHandle": Rule("*", (), ()),
    "AWS::DynamoDB::Table": Rule("~:table/{TableName}", ("dynamodb:CreateTable", "dynamodb:DescribeTable"),
                                 ("dynamodb:DeleteTable",), ("dynamodb:UpdateTable",),
                                 {"PointInTimeRecoverySpecification": ("dynamodb:UpdateContinuousBackups",)}),
    "AWS::EC2::RouteTable": _ec2("RouteTable", "ec2:DescribeRouteTables"),
    "AWS::EC2::SecurityGroup": _ec2("SecurityGroup", "ec2:AuthorizeSecurityGroupIngress",
                                    "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"),
    "AWS::EC2::Subnet": _ec2("Subnet", "ec2:DescribeSubnets", "ec2:ModifySubnetAttribute"),
    "AWS::EC2::SubnetRouteTableAssociation": Rule("~:route-table/new", ("ec2:AssociateRouteTable",),
                                                  ("ec2:DisassociateRouteTable",)),
    "AWS::EC2::VPC": _ec2("Vpc", "ec2:DescribeVpcs", "ec2:ModifyVpcAttribute"),
    "AWS::EC2::VPCEndpoint": _ec2("VpcEndpoint", "ec2:DescribeVpcEndpoints", delete="ec2:DeleteVpcEndpoints"),
    "AWS::Glue::Database": Rule("~:catalog", ("glue:CreateDatabase", *_CATALOGUE), ("glue:DeleteDatabase",),
                                ("glue:UpdateDatabase",)),
    "AWS::Glue::Job": Rule("~:job/{Name}", ("glue:CreateJob", "glue:GetJob"), ("glue:DeleteJob",), ("glue:UpdateJob",),
                           {"Tags": ("glue:TagResource",)}, {"Role": "glue.amazonaws.com"}),
    "AWS::Glue::Table": Rule("~:table/{DatabaseName}/new", ("glue:CreateTable", "glue:GetTable"),
                             ("glue:DeleteTable",), ("glue:UpdateTable",)),
    "AWS::IAM::Role": Rule("arn:aws:iam::{account}:role/{RoleName}", ("iam:CreateRole", "iam:GetRole"),
                           ("iam:DeleteRole", "iam:DeleteRolePolicy"), ("iam:UpdateRole",),
                           {"Policies": ("iam:PutRolePolicy",), "Tags": ("iam:TagRole",)}),
    "AWS::KMS::Alias": Rule("~:{AliasName}", ("kms:CreateAlias",), ("kms:DeleteAlias",), ("kms:UpdateAlias",)),
    "AWS::KMS::Key": Rule("~:key/new", ("kms:CreateKey", "kms:DescribeKey"), ("kms:ScheduleKeyDeletion",),
                          ("kms:PutKeyPolicy", "kms:UpdateKeyDescription"),
                          {"EnableKeyRotation": ("kms:EnableKeyRotation",), "Tags": ("kms:TagResource",)}),
    "AWS::Lambda::Function": Rule("~:function:{FunctionName}", ("lambda:CreateFunction", "lambda:GetFunction"),
                                  ("lambda:DeleteFunction",),
                                  ("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),
                                  {"Tags": ("lambda:TagResource",)}, {"Role": "lambda.amazonaws.com"}),
    "AWS::Lambda::Permission": Rule("~:function:{FunctionName}", ("lambda:AddPermission",),
                                    ("lambda:RemovePermission",)),
    "AWS::Logs::LogGroup": Rule("~:log-group:{LogGroupName}", ("logs:CreateLogGroup", "logs:DescribeLogGroups"),
                                ("logs:DeleteLogGroup",), (),
                                {"RetentionInDays": ("logs:PutRetentionPolicy",), "Tags": ("logs:TagResource",)}),
    "AWS::RedshiftServerless::Namespace": Rule(
        "~:namespace/new", tuple(f"{_REDSHIFT}:{call}" for call in ("CreateNamespace", "GetNamespace", "TagResource")),
        (f"{_REDSHIFT}:DeleteNamespace",), (f"{_REDSHIFT}:UpdateNamespace",), {},
        {"IamRoles": "redshift-serverless.amazonaws.com"}),
    "AWS::RedshiftServerless::Workgroup": Rule(
        "~:workgroup/new", tuple(f"{_REDSHIFT}:{call}" for call in ("CreateWorkgroup", "GetWorkgroup", "TagResource")),
        (f"{_REDSHIFT}:DeleteWorkgroup",), (f"{_REDSHIFT}:UpdateWorkgroup",)),
    "AWS::S3::Bucket": Rule("arn:aws:s3:::{BucketName}", ("s3:CreateBucket",), ("s3:DeleteBucket",), (), {
        "BucketEncryption": ("s3:PutEncryptionConfiguration",),
        "CorsConfiguration": ("s3:PutBucketCORS",),
        "LifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
        "LoggingConfiguration": ("s3:PutBucketLogging",),
        "NotificationConfiguration": ("s3:PutBucketNotification",),
        "OwnershipControls": ("s3:PutBucketOwnershipControls",),
        "PublicAccessBlockConfiguration": ("s3:PutBucketPublicAccessBlock",),
        "Tags": ("s3:PutBucketTagging",),
        "VersioningConfiguration": ("s3:PutBucketVersioning",),
        "WebsiteConfiguration": ("s3:PutBucketWebsite",),
    }),
    "AWS::S3::BucketPolicy": Rule("arn:aws:s3:::{Bucket}", ("s3:PutBucketPolicy",), ("s3:DeleteBucketPolicy",),
                                  ("s3:PutBucketPolicy",)),
    "AWS::SecretsManager::Secret": Rule("~:secret:{Name}", ("secretsmanager:CreateSecret",),
                                        ("secretsmanager:DeleteSecret",), ("secretsmanager:UpdateSecret",),
                                        {"Tags": ("secretsmanager:TagResource",)}),
    "AWS::SQS::Queue": Rule("~:{QueueName}", ("sqs:CreateQueue", "sqs:GetQueueAttributes"), ("sqs:DeleteQueue",),
                            ("sqs:SetQueueAttributes",), {"Tags": ("sqs:TagQueue",)}),
}  # fmt: skip


class NotAuthorizedError(ValueError):
    """The service role of a stack may not make a call that a resource needs."""


def _allowed(role_arn: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    request = iam_evaluator.EvalContext(
        principal_arn=role_arn, principal_type="AssumedRole", principal_account=account, action=action,
        resource_arn=resource, region=get_region(), service_context=dict(context or {}),
    )  # fmt: skip
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    policies = iam_evaluator._gather_role_policies(role, account)
    return iam_evaluator.evaluate(request, policies, *limits).decision == "Allow"


def _check(role_arn: str, calls: Iterable[tuple[str, str, Mapping[str, str]]]) -> None:
    for action, resource, context in calls:
        if not _allowed(role_arn, action, resource, context):
            raise NotAuthorizedError(f"{role_arn} is not authorized to perform: {action} on resource: {resource}")


def _calls(
    kind: str, actions: tuple[str, ...], props: Mapping[str, Any], changed: Iterable[str] = ()
) -> list[tuple[str, str, Mapping[str, str]]]:
    rule, account, region = RULES[kind], get_account_id(), get_region()
    names = {"account": account, "region": region, **{k: v for k, v in props.items() if isinstance(v, str)}}
    arn = rule.arn.format_map(_Named(names))
    context = {"iam:permissionsboundary": str(props["PermissionsBoundary"])} if "PermissionsBoundary" in props else {}
    wanted = [*actions, *(action for name in changed for action in rule.properties.get(name, ()))]
    calls: list[tuple[str, str, Mapping[str, str]]] = [
        (action, arn.replace("~", f"arn:aws:{action.partition(':')[0]}:{region}:{account}"), context)
        for action in wanted
    ]
    for name in set(rule.roles) & set(changed):
        roles = props[name] if isinstance(props[name], list) else [props[name]]
        calls += [("iam:PassRole", str(role), {"iam:passedtoservice": rule.roles[name]}) for role in roles]
    return calls


class _Named(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "unnamed"


def _role_of(stack_name: str | None, kind: str) -> str | None:
    role = (cloudformation._stacks.get(stack_name) or {}).get(ROLE_KEY) if stack_name else None
    if role and kind not in RULES:
        raise NotAuthorizedError(f"{kind} has no rule in local/extensions/cloudformation_permissions.py: add one")
    return role


# ---------------------------------------------------------------- in ministack's place

_original_provision, _original_update = stacks._provision_resource, stacks._update_resource
_original_delete, _original_create_change_set = stacks._delete_resource, handlers._create_change_set


def _provision_resource(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> tuple:
    if role := _role_of(stack_name, kind):
        _check(role, _calls(kind, RULES[kind].create, props, props))
    return _original_provision(kind, logical_id, props, stack_name)


def _update_resource(
    kind: str, physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, *rest: Any
) -> tuple:
    if old != new and (role := _role_of(stack_name, kind)):
        changed = [name for name in new if old.get(name) != new[name]]
        _check(role, _calls(kind, RULES[kind].update, new, changed))
    return _original_update(kind, physical_id, old, new, stack_name, *rest)


def _delete_resource(
    kind: str, physical_id: str, props: dict[str, Any], stack_name: str | None = None, logical_id: str | None = None
) -> None:
    if role := _role_of(stack_name, kind):
        _check(role, _calls(kind, RULES[kind].delete, props))
    _original_delete(kind, physical_id, props, stack_name, logical_id)


def _create_change_set(params: dict[str, Any]) -> tuple:
    role = helpers._p(params, "RoleARN")
    caller = iam_evaluator.caller_arn()
    if role and ":assumed-role/" in caller:
        name = iam_evaluator._role_name_from_assumed_arn(caller)
        caller_role = f"arn:aws:iam::{get_account_id()}:role/{name}"
        if not _allowed(caller_role, "iam:PassRole", role, {"iam:passedtoservice": "cloudformation.amazonaws.com"}):
            message = f"User: {caller} is not authorized to perform: iam:PassRole on resource: {role}"
            return helpers._error("AccessDenied", message, 403)
    answer = _original_create_change_set(params)
    if role and answer[0] == 200:
        name = helpers._p(params, "StackName")
        cloudformation._stacks[name][ROLE_KEY] = role
    return answer


PATCHES = {
    "ministack.services.cloudformation.stacks._provision_resource": _provision_resource,
    "ministack.services.cloudformation.stacks._update_resource": _update_resource,
    "ministack.services.cloudformation.stacks._delete_resource": _delete_resource,
    "ministack.services.cloudformation.handlers._create_change_set": _create_change_set,
}
