"""What AWS sees in a template and ministack does not: circular references, changed outputs, exports in use.

A circle is refused with the change set instead of noticed during the deployment, outputs alone are a change worth
executing, a resource whose condition turns is added or removed, and an export that another stack imports cannot be
taken away.
"""

from __future__ import annotations

from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, engine, handlers, helpers, stacks

_MODULE = "ministack.services.cloudformation"
# As they are by now: the modules before this one in the alphabet have put theirs in ministack's place.
_validate_properties: Any = changesets.validate_template_support
_create_checked_change_set: Any = handlers._create_change_set
_resolve_everything = changesets._resolve_props_for_diff
_original_outputs = stacks._resolve_stack_outputs


def validate_template_support(
    template: dict[str, Any], conditions: dict[str, bool], params: dict[str, Any] | None = None
) -> None:
    """:raises ValueError: when the resources wait for each other, or a property does not fit"""
    _validate_properties(template, conditions, params)
    try:
        engine._topological_sort(template.get("Resources", {}), conditions)
    except ValueError as error:
        names = str(error).rpartition(": ")[2]
        raise ValueError(f"Circular dependency between resources: [{names}]") from error


def create_change_set(params: dict[str, Any]) -> tuple:
    """A change set that changes outputs alone can be executed, and shows no changes."""
    answer = _create_checked_change_set(params)
    if answer[0] == 200:
        _, found = changesets._find_change_set(helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName"))
        stack = handlers._resolve_stack(helpers._p(params, "StackName")) or {}
        before = stack.get("_template", {}).get("Outputs", {})
        is_update = found is not None and found["ChangeSetType"] == "UPDATE"
        if is_update and found["Status"] == "FAILED" and before != found["_template"].get("Outputs", {}):
            found |= {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE", "StatusReason": ""}
    return answer


def resolve_props_for_diff(template: dict[str, Any], params: dict[str, Any], *stack: str) -> dict[str, Any]:
    """A template for the comparison with another: what its conditions leave out is not there."""
    resolved = _resolve_everything(template, params, *stack)
    conditions = engine._evaluate_conditions(template, params) if template else {}
    kept = {
        logical_id: resource
        for logical_id, resource in resolved.get("Resources", {}).items()
        if conditions.get(resource.get("Condition"), True)
    }
    return {**resolved, "Resources": kept}


def resolve_stack_outputs(*arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """:raises ValueError: when an export that another stack imports is no longer among the outputs"""
    outputs, exports = _original_outputs(*arguments)
    stack_id = arguments[-1]
    mine = {name for name, export in cloudformation._exports.items() if export["StackId"] == stack_id}
    for name in sorted(mine - set(exports)):
        for other, stack in cloudformation._stacks.items():
            if stack["StackId"] != stack_id and name in handlers._imported_export_names(stack, other):
                raise ValueError(f"Export {name} cannot be deleted as it is in use by {other}")
        del cloudformation._exports[name]
    return outputs, exports


PATCHES = {
    f"{_MODULE}.changesets.validate_template_support": validate_template_support,
    f"{_MODULE}.handlers.validate_template_support": validate_template_support,
    f"{_MODULE}.changesets._resolve_props_for_diff": resolve_props_for_diff,
    f"{_MODULE}.handlers._create_change_set": create_change_set,
    f"{_MODULE}.stacks._resolve_stack_outputs": resolve_stack_outputs,
}
