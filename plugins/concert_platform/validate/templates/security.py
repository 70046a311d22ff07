"""Rules about what outlives a stack, who may do what, and who reaches a bucket."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.validate.templates.document import Document, Steps, as_list, properties, walk
from concert_platform.validate.templates.rule import Hits, template_rule

# cfn-lint (I3011) asks for an explicit choice on some of the others, such as queues and log groups.
TO_RETAIN = tuple(name for name, kind in STATEFUL_TYPES.items() if not kind.lost_because)
RETAINED = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
ROLE, MANAGED_POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
BOUNDARY = "policy/concert-platform-${Environment}-boundary"
PUBLIC_ACCESS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
# IAM's quotas, in characters without white space; a role takes ten managed policies.
LARGEST_MANAGED_POLICY = 6_144
LARGEST_INLINE_POLICIES = 10_240
MOST_MANAGED_POLICIES = 10


@template_rule("retention", "set DeletionPolicy: RetainExceptOnCreate and UpdateReplacePolicy: Retain")
def retention(document: Document) -> Hits:
    for logical_id, item in document.resources(*TO_RETAIN).items():
        if any(item.get(key) != value for key, value in RETAINED.items()):
            yield document.at("Resources", logical_id), f"{logical_id} holds data or keys that go with its stack"


@template_rule("permissions-boundary", f"set PermissionsBoundary to arn:...:{BOUNDARY}")
def permissions_boundary(document: Document) -> Hits:
    for logical_id, item in document.resources(ROLE).items():
        if not _is_boundary(document, properties(item).get("PermissionsBoundary")):
            yield document.at("Resources", logical_id), f"role {logical_id} is not below the permissions boundary"


@template_rule("wildcard-action", "name each action that is called")
def wildcard_action(document: Document) -> Hits:
    for logical_id, path, statement in statements(document):
        if statement.get("Effect") != "Allow":
            continue
        for action in as_list(statement.get("Action")):
            if isinstance(action, str) and re.search(r"[*?]", action):
                yield document.at(*path, "Action"), f"{logical_id} allows {action}"
        if "NotAction" in statement and not _defines_boundary(document.resources()[logical_id]):
            yield document.at(*path, "NotAction"), f"{logical_id} allows all but a few actions"


@template_rule("wildcard-resource", "name the resource, or give AWS's reason in a comment on the same line")
def wildcard_resource(document: Document) -> Hits:
    for logical_id, path, statement in statements(document):
        value = statement.get("Resource")
        places: list[Steps] = [(*path, "Resource")]
        if isinstance(value, list):
            places = [(*path, "Resource", index) for index, item in enumerate(value) if item == "*"]
        elif value != "*":
            continue
        for place in places:
            if not document.has_comment(*place):
                yield document.at(*place), f"{logical_id} names every resource without saying why"


@template_rule("bucket-tls", "add a bucket policy that denies s3:* to everybody while aws:SecureTransport is false")
def bucket_tls(document: Document) -> Hits:
    guarded = [
        properties(item).get("Bucket")
        for item in document.resources("AWS::S3::BucketPolicy").values()
        if any(_denies_plain_http(s) for s in as_list((properties(item).get("PolicyDocument") or {}).get("Statement")))
    ]
    for logical_id in document.resources("AWS::S3::Bucket"):
        if {"Ref": logical_id} not in guarded:
            yield document.at("Resources", logical_id), f"bucket {logical_id} can be read over plain HTTP"


@template_rule("bucket-public-access", f"set {', '.join(PUBLIC_ACCESS)} of PublicAccessBlockConfiguration to true")
def bucket_public_access(document: Document) -> Hits:
    for logical_id, item in document.resources("AWS::S3::Bucket").items():
        block = properties(item).get("PublicAccessBlockConfiguration")
        if not isinstance(block, dict) or any(str(block.get(key)).lower() != "true" for key in PUBLIC_ACCESS):
            yield document.at("Resources", logical_id), f"bucket {logical_id} can be opened to the public"


@template_rule("policy-size", "split the policy, or group statements that share resources and conditions")
def policy_size(document: Document) -> Hits:
    for logical_id, item in document.resources(MANAGED_POLICY).items():
        size = _size(properties(item).get("PolicyDocument"))
        if size > LARGEST_MANAGED_POLICY:
            yield document.at("Resources", logical_id), f"{logical_id}: {size} of {LARGEST_MANAGED_POLICY} characters"
    for logical_id, item in document.resources(ROLE).items():
        inline = [policy.get("PolicyDocument") for policy in as_list(properties(item).get("Policies"))
                  if isinstance(policy, dict)]  # fmt: skip
        size, attached = sum(map(_size, inline)), len(as_list(properties(item).get("ManagedPolicyArns")))
        if size > LARGEST_INLINE_POLICIES:
            yield document.at("Resources", logical_id), f"{logical_id}: {size} of {LARGEST_INLINE_POLICIES} characters"
        if attached > MOST_MANAGED_POLICIES:
            yield document.at("Resources", logical_id), f"{logical_id}: {attached} of {MOST_MANAGED_POLICIES} policies"


def statements(document: Document) -> Iterator[tuple[str, Steps, dict[str, Any]]]:
    """Every policy statement of every resource, whatever kind of policy: logical id, path, statement."""
    for logical_id, item in document.resources().items():
        for path, value in walk(properties(item), ("Resources", logical_id, "Properties")):
            if isinstance(value, dict) and "Effect" in value and {"Action", "NotAction"} & set(value):
                yield logical_id, path, value


def _is_boundary(document: Document, value: Any) -> bool:
    match value:
        case {"Ref": name}:
            policy = document.resources(MANAGED_POLICY).get(str(name))
            return bool(policy and _defines_boundary(policy)) or name == "PermissionsBoundaryArn"
        case {"Fn::Sub": str(text)}:
            return text.endswith(f":{BOUNDARY}")
    return False


def _defines_boundary(resource: dict[str, Any]) -> bool:
    name = properties(resource).get("ManagedPolicyName")
    return isinstance(name, dict) and str(name.get("Fn::Sub")).endswith("${Environment}-boundary")


def _denies_plain_http(statement: Any) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") != "Deny":
        return False
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    secure = (statement.get("Condition") or {}).get("Bool", {}).get("aws:SecureTransport")
    return everybody and as_list(statement.get("Action")) == ["s3:*"] and str(secure).lower() == "false"


def _size(policy: Any) -> int:
    return len(json.dumps(_rendered(policy), separators=(",", ":"), default=str))


def _rendered(value: Any) -> Any:
    """A value about as long as in AWS: the longest environment, and 60 characters for what is known only there."""
    match value:
        case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), *_]}:
            for name, known in (("Environment", "development"), ("AWS::Partition", "aws"),
                                ("AWS::Region", "ap-northeast-1"), ("AWS::AccountId", "0" * 12)):  # fmt: skip
                text = text.replace(f"${{{name}}}", known)
            return re.sub(r"\$\{[^}]*\}", "x" * 60, text)
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return "x" * 60
        case dict():
            return {key: _rendered(item) for key, item in value.items()}
        case list():
            return [_rendered(item) for item in value]
    return value


RULES = (
    retention,
    permissions_boundary,
    wildcard_action,
    wildcard_resource,
    bucket_tls,
    bucket_public_access,
    policy_size,
)
