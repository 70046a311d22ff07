"""CloudFormation works with the permissions of its service role, not with its own.

ministack ignores RoleARN. Here a caller needs iam:PassRole on it, and each resource of a stack that has a role is
created, changed and deleted only if that role (below its boundary) may make the calls that AWS would make for it, those
of the type itself and of each property that is set: deployment_calls.yaml. A type that is not listed there is refused
under a role, so that a template cannot outgrow the list unnoticed. A stack without a role is not checked: it has its
caller's permissions. Drift is read with the permissions of whoever asks for it, whatever the stack's role.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, iam
from ministack.services.cloudformation import drift, handlers, helpers, stacks

from local.extensions import resource_schemas

ROLE_KEY = "_role_arn"
CALLS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "deployment_calls.yaml").read_text())
MAKES = re.compile(
    "Create(?!Grant)|Allocate|POST|Put|Tag|AddTags"
)  # calls that may name tags of what does not exist yet
Call = tuple[str, str, Mapping[str, str]]  # action, resource, context of the policies' conditions


class NotAuthorizedError(ValueError):
    """A role may not make a call that a resource needs."""


def _allowed(role_arn: str, action: str, resource: str, context: Mapping[str, str] | None = None) -> bool:
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    request = iam_evaluator.EvalContext(
        principal_arn=role_arn, principal_type="AssumedRole", principal_account=account, action=action,
        resource_arn=resource, region=get_region(), service_context=dict(context or {}),
    )  # fmt: skip
    limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
    policies = iam_evaluator._gather_role_policies(role, account)
    return iam_evaluator.evaluate(request, policies, *limits).decision == "Allow"


def _check(role_arn: str, calls: Iterable[Call]) -> None:
    for action, resource, context in calls:
        if not _allowed(role_arn, action, resource, context):
            raise NotAuthorizedError(f"{role_arn} is not authorized to perform: {action} on resource: {resource}")


def _calls(
    kind: str, step: str, props: Mapping[str, Any], changed: Iterable[str], tags: Mapping[str, str]
) -> list[Call]:
    """The calls of one step (create, update, delete, read) that sets or changes some properties."""
    rule, values = CALLS[kind], _values(kind, props)
    sections = {"create": ("properties",), "update": ("properties", "changes"), "delete": ("removals",)}.get(step, ())
    wanted = [*rule.get(step, ()), *(call for section in sections for name in changed
                                     for call in rule.get(section, {}).get(name, ()))]  # fmt: skip
    if step in ("create", "update"):
        wanted += rule.get("read", ())
    calls: list[Call] = []
    for call in dict.fromkeys(wanted):
        action, _, resource = call.partition(" ")
        here = f"arn:aws:{action.partition(':')[0]}:{values['region']}:{values['account']}"
        context = _context(kind, step, action, values, tags)
        calls.append((action, (resource or rule["arn"]).format_map(values).replace("~", here), context))
    if step != "delete":
        calls += [("iam:PassRole", str(role), {"iam:passedtoservice": service})
                  for path, service in rule.get("roles", {}).items() if path.partition(".")[0] in changed
                  for role in _all(props, path.split("."))]  # fmt: skip
    return calls


def _context(kind: str, step: str, action: str, values: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, str]:
    """What conditions of policies may ask: the tags of the stack, in the request and on the resource, and some more."""
    makes = bool(MAKES.match(action.partition(":")[2]))
    owner = CALLS[kind].get("tags") or ("own" if resource_schemas.tag_property(kind) else "nobody")
    is_tagged = {"parent": True, "inherited": step != "create", "own": step != "create" or not makes}.get(owner, False)
    context = {f"aws:requesttag/{name}".lower(): value for name, value in tags.items() if makes}
    context |= {f"aws:resourcetag/{name}".lower(): value for name, value in tags.items() if is_tagged}
    if boundary := values.get("PermissionsBoundary"):
        context["iam:permissionsboundary"] = str(boundary)
    if function := values.get("FunctionName"):
        context["lambda:functionarn"] = f"arn:aws:lambda:{values['region']}:{values['account']}:function:{function}"
    if action.startswith("kms:") and not kind.startswith("AWS::KMS::"):
        context["kms:viaservice"] = f"{kind.split('::')[1].lower()}.{values['region']}.amazonaws.com"
    return context


def _tags(stack: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())}


def _values(kind: str, props: Mapping[str, Any]) -> _Named:
    """What stands for {...} in an ARN: the properties, and what some of them mean."""
    values = _Named(CALLS[kind].get("defaults", {}) | {"account": get_account_id(), "region": get_region()})
    values |= {name: _Named(value) if isinstance(value, dict) else value for name, value in props.items()}
    values["scope"] = "global" if props.get("Scope") == "CLOUDFRONT" else "regional"
    if queues := props.get("Queues"):
        values["queue"] = str(queues[0]).rpartition("/")[2]  # from its URL
    if function := props.get("FunctionName"):
        values["FunctionName"] = str(function).partition(":function:")[2] or function
    return values


def _all(value: Any, path: list[str]) -> list[Any]:
    """Every value at a path, through the lists on the way."""
    if isinstance(value, list):
        return [found for item in value for found in _all(item, path)]
    if not path:
        return [value] if value else []
    return _all(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


class _Named(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "unnamed"


def _role_of(stack_name: str | None, kind: str) -> str | None:
    role = (cloudformation._stacks.get(stack_name) or {}).get(ROLE_KEY) if stack_name else None
    if role and kind not in CALLS:
        raise NotAuthorizedError(f"{kind} is not in local/extensions/deployment_calls.yaml: add its calls")
    return role


def _caller_role() -> str | None:
    """Role of whoever makes the call; None for the account's root."""
    caller = iam_evaluator.caller_arn()
    if ":assumed-role/" not in caller:
        return None
    return f"arn:aws:iam::{get_account_id()}:role/{iam_evaluator._role_name_from_assumed_arn(caller)}"


# ---------------------------------------------------------------- in ministack's place

_original_provision, _original_update = stacks._provision_resource, stacks._update_resource
_original_delete, _original_create_change_set = stacks._delete_resource, handlers._create_change_set
_original_resource_drift, _original_stack_drift = drift.detect_resource_drift, handlers._detect_stack_drift


def _provision_resource(kind: str, logical_id: str, props: dict[str, Any], stack_name: str) -> tuple:
    if role := _role_of(stack_name, kind):
        _check(role, _calls(kind, "create", props, props, _tags(cloudformation._stacks[stack_name])))
    return _original_provision(kind, logical_id, props, stack_name)


def _update_resource(
    kind: str, physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str, *rest: Any
) -> tuple:
    if old != new and (role := _role_of(stack_name, kind)):
        changed = [name for name in new if old.get(name) != new[name]]
        _check(role, _calls(kind, "update", new, changed, _tags(cloudformation._stacks[stack_name])))
    return _original_update(kind, physical_id, old, new, stack_name, *rest)


def _delete_resource(
    kind: str, physical_id: str, props: dict[str, Any], stack_name: str | None = None, logical_id: str | None = None
) -> None:
    if stack_name and (role := _role_of(stack_name, kind)):
        _check(role, _calls(kind, "delete", props, props, _tags(cloudformation._stacks[stack_name])))
    _original_delete(kind, physical_id, props, stack_name, logical_id)


def _create_change_set(params: dict[str, Any]) -> tuple:
    role = helpers._p(params, "RoleARN")
    service = {"iam:passedtoservice": "cloudformation.amazonaws.com"}
    if role and (caller := _caller_role()) and not _allowed(caller, "iam:PassRole", role, service):
        message = f"User: {iam_evaluator.caller_arn()} is not authorized to perform: iam:PassRole on resource: {role}"
        return helpers._error("AccessDenied", message, 403)
    answer = _original_create_change_set(params)
    if role and answer[0] == 200:
        name = helpers._p(params, "StackName")
        cloudformation._stacks[name][ROLE_KEY] = role
    return answer


def _detect_resource_drift(stack: dict[str, Any], logical_id: str, record: dict[str, Any], timestamp: str) -> dict:
    kind, caller = record["ResourceType"], _caller_role()
    try:
        if caller and "read" not in CALLS.get(kind, {}):
            raise NotAuthorizedError(f"{kind} has no read calls in local/extensions/deployment_calls.yaml: add them")
        if caller:
            _check(caller, _calls(kind, "read", record.get("Properties") or {}, (), _tags(stack)))
    except NotAuthorizedError as error:
        return {"StackId": stack["StackId"], "LogicalResourceId": logical_id, "ResourceType": kind,
                "PhysicalResourceId": record.get("PhysicalResourceId", ""), "Timestamp": timestamp,
                "StackResourceDriftStatus": "UNKNOWN", "DriftStatusReason": str(error)}  # fmt: skip
    return _original_resource_drift(stack, logical_id, record, timestamp)


def _detect_stack_drift(params: dict[str, Any]) -> tuple:
    """The reason of a failed detection says why, as AWS's does, and not only where."""
    answer = _original_stack_drift(params)
    stack = handlers._resolve_stack(helpers._p(params, "StackName")) if answer[0] == 200 else {}
    for detection in list(stack.get("_drift_detections", {}).values())[-1:]:
        if detection["DetectionStatus"] == "DETECTION_FAILED":
            found = {name: record.get("_drift", {}) for name, record in stack["_resources"].items()}
            failures = [{"Resource": name, "FailureReason": one.get("DriftStatusReason", "")}
                        for name, one in found.items() if one.get("StackResourceDriftStatus") == "UNKNOWN"]  # fmt: skip
            summary = {"Summary": detection["DetectionStatusReason"], "Failures": failures}
            detection["DetectionStatusReason"] = json.dumps(summary)
    return answer


PATCHES = {
    "ministack.services.cloudformation.stacks._provision_resource": _provision_resource,
    "ministack.services.cloudformation.stacks._update_resource": _update_resource,
    "ministack.services.cloudformation.stacks._delete_resource": _delete_resource,
    "ministack.services.cloudformation.handlers._create_change_set": _create_change_set,
    "ministack.services.cloudformation.drift.detect_resource_drift": _detect_resource_drift,
    "ministack.services.cloudformation.handlers._detect_stack_drift": _detect_stack_drift,
}
