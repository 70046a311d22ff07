"""CloudFormation refuses a template whose properties do not fit AWS's resource schemas.

ministack ignores a property that it does not know. Here each resource is judged before anything is made, as far as its
values are known then: what a function gives later fits everywhere. The messages are CloudFormation's.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import engine, provisioners

from local.extensions import resource_schemas

Schema = dict[str, Any]
LATER = object()  # the value of a function that only the deployment knows
_FUNCTION = re.compile(r"Ref|Condition|Fn::.+")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str, int, float, bool), "boolean": (bool,), "null": (type(None),),
    "integer": (int,), "number": (int, float),
}  # fmt: skip
_NAMES = {dict: "JSONObject", list: "JSONArray", str: "String", bool: "Boolean", int: "Integer", float: "Number"}

# ---------------------------------------------------------------- what is known of a value


class _Scope:
    def __init__(self, template: Mapping[str, Any], conditions: Mapping[str, bool], params: Mapping[str, Any]) -> None:
        self.resources, self.mappings = template.get("Resources", {}), template.get("Mappings", {})
        self.conditions, self.params = conditions, params

    def known(self, value: Any) -> Any:
        """A value with its functions resolved, or LATER in the place of those that cannot be."""
        if isinstance(value, list):
            return [item for item in map(self.known, value) if item is not engine._NO_VALUE]
        if isinstance(value, str) and "{{resolve:" in value:
            return LATER
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and _FUNCTION.fullmatch(str(next(iter(value)))):
            return self._result(*next(iter(value.items())))
        found = {key: self.known(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not engine._NO_VALUE}

    def _result(self, function: str, argument: Any) -> Any:
        if function == "Fn::If" and argument[0] in self.conditions:
            return self.known(argument[1] if self.conditions[argument[0]] else argument[2])
        node = {function: argument}
        names = {name for name, _ in engine._intrinsic_references(node)}
        if names & set(self.resources) or function in ("Fn::GetAtt", "Fn::ImportValue", "Fn::Transform", "Condition"):
            return LATER
        try:
            return engine._resolve_refs(
                copy.deepcopy(node), {}, self.params, self.conditions, self.mappings, "stack", "stack-id"
            )
        except (ValueError, KeyError, IndexError, TypeError):
            return LATER


# ---------------------------------------------------------------- what a schema says of it


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:  # Java's syntax, as in \p{Alpha}
        return None


def problems(root: Schema, part: Schema, value: Any, path: str = "#") -> Iterator[str]:
    """What CloudFormation says against a value, one message at a time."""
    if value is LATER:
        return
    part = {**resource_schemas.resolved(root, part), **{k: v for k, v in part.items() if k == "enum"}}
    types = part.get("type", [])
    if types and not any(_fits(value, name, part) for name in ([types] if isinstance(types, str) else types)):
        yield f"{path}: expected type: {_expected(types)}, found: {_NAMES.get(type(value), 'Null')}"
        return
    if "enum" in part and str(value) not in {str(one) for one in part["enum"]}:
        yield f"{path}: {value} is not a valid enum value"
    if isinstance(value, dict):
        yield from _object_problems(root, part, value, path)
    elif isinstance(value, list):
        yield from _limits(part, len(value), "Items", path)
        for index, item in enumerate(value):
            yield from problems(root, part.get("items", {}), item, f"{path}/{index}")
    else:
        yield from _scalar_problems(part, value, path)
    yield from _combined_problems(root, part, value, path)


def _object_problems(root: Schema, part: Schema, value: dict[str, Any], path: str) -> Iterator[str]:
    known, patterns = part.get("properties", {}), part.get("patternProperties", {})
    for name in part.get("required", []):
        if name not in value:
            yield f"{path}: required key [{name}] not found"
    for name, item in value.items():
        if name in known:
            yield from problems(root, known[name], item, f"{path}/{name}")
        elif fitting := [schema for text, schema in patterns.items() if re.search(text, str(name))]:
            yield from problems(root, fitting[0], item, f"{path}/{name}")
        elif part.get("additionalProperties") is False and (known or patterns):
            yield f"{path}: extraneous key [{name}] is not permitted"


def _scalar_problems(part: Schema, value: Any, path: str) -> Iterator[str]:
    if "pattern" in part and (pattern := _pattern(part["pattern"])) and not pattern.search(str(value)):
        yield f"{path}: string [{value}] does not match pattern {part['pattern']}"
    if isinstance(value, str):
        yield from _limits(part, len(value), "Length", path)
    if part.get("type") in ("integer", "number"):
        yield from _limits(part, float(value), "imum", path)


def _limits(part: Schema, size: float, name: str, path: str) -> Iterator[str]:
    if size < part.get(f"min{name}", size):
        yield f"{path}: expected min{name} to be {part[f'min{name}']}, found {size:g}"
    if size > part.get(f"max{name}", size):
        yield f"{path}: expected max{name} to be {part[f'max{name}']}, found {size:g}"


def _combined_problems(root: Schema, part: Schema, value: Any, path: str) -> Iterator[str]:
    for schema in part.get("allOf", []):
        yield from problems(root, schema, value, path)
    for name in ("anyOf", "oneOf"):  # one of oneOf is not told from two: a value of later may decide it
        found = [list(problems(root, schema, value, path)) for schema in part.get(name, [])]
        if found and all(found):
            yield from min(found, key=len)


def _fits(value: Any, name: str, part: Schema) -> bool:
    """CloudFormation takes "5" for a number, "true" for a truth and a JSON text for a free object."""
    if isinstance(value, bool):
        return name in ("boolean", "string")
    if isinstance(value, _TYPES[name]):
        return True
    if not isinstance(value, str):
        return False
    return (
        (name == "boolean" and value.lower() in ("true", "false"))
        or (name in ("integer", "number") and bool(re.fullmatch(r"-?\d+(\.\d+)?", value)))
        or (name == "object" and not part.get("properties"))
    )


def _expected(types: str | list[str]) -> str:
    names = {"object": "JSONObject", "array": "JSONArray"}
    return " or ".join(names.get(name, name.title()) for name in ([types] if isinstance(types, str) else types))


# ---------------------------------------------------------------- in ministack's place

_original_validate, _original_conditions = engine.validate_template_support, engine._evaluate_conditions
_original_recreation = provisioners._property_recreation


def validate_template_support(
    template: dict[str, Any], conditions: dict[str, bool], params: dict[str, Any] | None = None
) -> None:
    """:raises ValueError: with all that is wrong with the properties of the first resource that does not fit"""
    _original_validate(template, conditions, params)
    if params is None:  # ValidateTemplate knows no values, and looks at no properties on AWS either
        return
    scope = _Scope(template, conditions, params)
    for logical_id, item in scope.resources.items():
        schema = resource_schemas.schema(item.get("Type", ""))
        if schema is None or not conditions.get(item.get("Condition"), True):
            continue
        found = list(problems(schema, schema, scope.known(item.get("Properties") or {})))
        if found:
            text = ", ".join(found)
            raise ValueError(f"Properties validation failed for resource {logical_id} with message: {text}")


def evaluate_conditions(template: dict[str, Any], params: dict[str, Any]) -> dict[str, bool]:
    """ministack compares the name of a pseudo parameter where AWS compares its value."""
    pseudo = {"AWS::Region": get_region(), "AWS::AccountId": get_account_id(), "AWS::Partition": "aws"}
    return _original_conditions(template, {**{key: {"Value": value} for key, value in pseudo.items()}, **params})


def property_recreation(kind: str, name: str) -> str:
    """Whether a change of a property replaces the resource; the schema says it where ministack has no word."""
    schema = resource_schemas.schema(kind)
    if kind in provisioners._REPLACING_PROPERTIES or schema is None:
        return _original_recreation(kind, name)
    fixed = resource_schemas.names(kind, "createOnlyProperties")
    if name in fixed:
        return "Always"
    perhaps = [*fixed, *resource_schemas.names(kind, "conditionalCreateOnlyProperties")]
    return "Conditionally" if any(f"{other}.".startswith(f"{name}.") for other in perhaps) else "Never"


_MODULE = "ministack.services.cloudformation"
PATCHES = {
    **{f"{_MODULE}.{name}.validate_template_support": validate_template_support for name in ("changesets", "handlers")},
    **{f"{_MODULE}.{name}._evaluate_conditions": evaluate_conditions for name in ("changesets", "handlers", "stacks")},
    **{f"{_MODULE}.{name}._property_recreation": property_recreation for name in ("provisioners", "stacks")},
}
