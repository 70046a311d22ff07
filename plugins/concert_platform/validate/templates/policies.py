"""Rules about policies: who may do what to which things, however a template writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from concert_platform.validate.templates.document import Document, Steps, as_list, inner, properties, walk
from concert_platform.validate.templates.rule import Hits, template_rule

ROLE, MANAGED_POLICY = "AWS::IAM::Role", "AWS::IAM::ManagedPolicy"
ENDPOINT = "AWS::EC2::VPCEndpoint"
BOUNDARY_NAME = "concert-platform-${Environment}-boundary"
BOUNDARY = f"policy/{BOUNDARY_NAME}"
POLICIES = ("AssumeRolePolicyDocument", "KeyPolicy", "PolicyDocument")
PARTS_OF_AN_ARN = 6
ONLY_WILD = re.compile(r"[*?:/]*[*?][*?:/]*")
# IAM's quotas, in characters without white space; a role takes ten managed policies.
LARGEST_MANAGED_POLICY = 6_144
LARGEST_INLINE_POLICIES = 10_240
MOST_MANAGED_POLICIES = 10


@dataclass(frozen=True)
class Statement:
    """A statement of a policy of any kind; one that may be an Allow counts as one."""

    logical_id: str
    path: Steps
    data: dict[str, Any]

    @property
    def allows(self) -> bool:
        return self.data["Effect"] != "Deny"


@template_rule("permissions-boundary", f"set PermissionsBoundary to arn:...:{BOUNDARY}")
def permissions_boundary(document: Document) -> Hits:
    for logical_id, item in document.resources(ROLE).items():
        if not _is_boundary(document, properties(item).get("PermissionsBoundary")):
            yield document.at("Resources", logical_id), f"role {logical_id} is not below the permissions boundary"


@template_rule("wildcard-action", "name each action that is called")
def wildcard_action(document: Document) -> Hits:
    for statement in _allows(document):
        for path, action in texts(document, statement.data.get("Action"), (*statement.path, "Action")):
            if re.search(r"[*?]", action):
                yield document.at(*path), f"{statement.logical_id} allows {action}"
        if "NotAction" in statement.data and not _defines_boundary(document.resources()[statement.logical_id]):
            yield document.at(*statement.path, "NotAction"), f"{statement.logical_id} allows all but a few actions"


@template_rule("wildcard-resource", "name the resource, or give AWS's reason in a comment of some words on its line")
def wildcard_resource(document: Document) -> Hits:
    for statement in _allows(document):
        spot = (*statement.path, "Resource")
        wild = [path for path, arn in texts(document, statement.data.get("Resource"), spot) if _is_everything(arn)]
        if "NotResource" in statement.data:
            wild.append((*statement.path, "NotResource"))
        for path in wild:
            if not document.has_reason(*path):
                yield document.at(*path), f"{statement.logical_id} names every resource without saying why"


@template_rule("open-principal", "name who may, or set a Condition that does")
def open_principal(document: Document) -> Hits:
    for statement in _allows(document):
        # What reaches an endpoint is in the network, and has a policy of its own.
        if document.resources()[statement.logical_id].get("Type") == ENDPOINT or inner(statement.data, "Condition"):
            continue
        everybody = any(part == "*" for _, part in walk(statement.data.get("Principal")))
        if everybody or "NotPrincipal" in statement.data:
            place = document.at(*statement.path, "Principal" if everybody else "NotPrincipal")
            yield place, f"{statement.logical_id} is open to everybody in AWS"


@template_rule("policy-text", "write the policy as a mapping, or correct its JSON: no rule reads it so")
def policy_text(document: Document) -> Hits:
    for logical_id, item in document.resources().items():
        for path, value in walk(properties(item), ("Resources", logical_id, "Properties")):
            for place, text in texts(document, value, path) if path[-1] in POLICIES else ():
                if not isinstance(_parsed(text), dict):
                    yield document.at(*place), f"{logical_id} has a {path[-1]} that is text, and no JSON mapping"


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


def statements(document: Document) -> Iterator[Statement]:
    """Every statement of every resource's policies, also of those that are JSON text."""
    for logical_id, item in document.resources().items():
        for path, data in _statements(document, properties(item), ("Resources", logical_id, "Properties")):
            yield Statement(logical_id, path, data)


def texts(document: Document, value: Any, path: Steps) -> Iterator[tuple[Steps, str]]:
    """Each text that a value can become, as far as the template tells, with its path."""
    match value:
        case str():
            yield path, value
        case list():
            for index, item in enumerate(value):
                yield from texts(document, item, (*path, index))
        case {"Fn::If": [_, *branches]}:
            for index, branch in enumerate(branches, start=1):
                yield from texts(document, branch, (*path, "Fn::If", index))
        case {"Fn::Sub": str(text)}:
            yield path, text
        case {"Fn::Sub": [str(text), dict(own)]}:
            for name, item in own.items():
                text = text.replace(f"${{{name}}}", item) if isinstance(item, str) else text
            yield path, text
        case {"Fn::Join": [str(separator), list(parts)]}:
            # A part that is known only in AWS is some text without wildcards.
            yield path, separator.join(next((text for _, text in texts(document, part, ())), "x") for part in parts)
        case {"Ref": str(name)}:
            yield from texts(document, document.section("Parameters").get(name, {}).get("Default"), path)


def _allows(document: Document) -> Iterator[Statement]:
    return (statement for statement in statements(document) if statement.allows)


def _statements(document: Document, value: Any, path: Steps) -> Iterator[tuple[Steps, dict[str, Any]]]:
    for place, part in walk(value, path):
        if isinstance(part, dict) and "Effect" in part and {"Action", "NotAction"} & set(part):
            yield place, part
        elif isinstance(part, str):
            yield from _statements(document, _parsed(part), place)
        elif isinstance(part, dict) and "Fn::Join" in part:
            for _, text in texts(document, part, ()):
                yield from _statements(document, _parsed(text), place)


def _parsed(text: str) -> Any:
    """What JSON text says; None for every other text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_everything(resource: str) -> bool:
    """Whether a Resource leaves open of which service things are, or both their account and their name."""
    text = re.sub(r"\$\{[^}]*\}", "x", resource)
    parts = text.split(":", PARTS_OF_AN_ARN - 1)
    if len(parts) < PARTS_OF_AN_ARN:
        return bool(re.search(r"[*?]", text)) and (text.startswith("arn:") or text[0] in "*?")
    service, account, name = parts[2], parts[4], parts[5]
    return bool(re.search(r"[*?]", service)) or (account.strip("*?") == "" and bool(ONLY_WILD.fullmatch(name)))


def _is_boundary(document: Document, value: Any) -> bool:
    match value:
        case {"Ref": name}:
            policy = document.resources(MANAGED_POLICY).get(str(name))
            return bool(policy and _defines_boundary(policy)) or name == "PermissionsBoundaryArn"
        case {"Fn::Sub": str(text)}:
            return text.endswith(f":{BOUNDARY}")
    return False


def _defines_boundary(resource: dict[str, Any]) -> bool:
    named = properties(resource).get("ManagedPolicyName") == {"Fn::Sub": BOUNDARY_NAME}
    return named and resource.get("Type") == MANAGED_POLICY


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


RULES = (permissions_boundary, wildcard_action, wildcard_resource, open_principal, policy_text, policy_size)
