"""What CloudFormation tells before anything is changed: which resources would be replaced, and that a circle is none.

ministack knows the properties that replace a resource for some types only, and answers Conditional for all others: AWS's
resource schemas know them for each. A circular reference it notices during the deployment; AWS refuses it before.
"""

from __future__ import annotations

from typing import Any

from ministack.services.cloudformation import engine, provisioners, stacks

from local.extensions import cloudformation_properties, resource_schemas

_MODULE = "ministack.services.cloudformation"
_original_recreation = stacks._property_recreation
_validate_properties = cloudformation_properties.validate_template_support


def property_recreation(kind: str, name: str) -> str:
    """Always, Conditionally or Never: what DescribeChangeSet says of a changed property."""
    if kind in provisioners._REPLACING_PROPERTIES or resource_schemas.schema(kind) is None:
        return _original_recreation(kind, name)
    fixed = resource_schemas.names(kind, "createOnlyProperties")
    if name in fixed:
        return "Always"
    sometimes = [*fixed, *resource_schemas.names(kind, "conditionalCreateOnlyProperties")]
    return "Conditionally" if name in {path.split(".")[0] for path in sometimes} else "Never"


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


PATCHES = {
    f"{_MODULE}.stacks._property_recreation": property_recreation,
    f"{_MODULE}.changesets.validate_template_support": validate_template_support,
    f"{_MODULE}.handlers.validate_template_support": validate_template_support,
}
