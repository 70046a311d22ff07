"""What values a template gets in an environment, and which of its resources exist there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from concert_platform.cloudformation.documents import Values
from concert_platform.validate.templates.document import Document, as_list, inner

# Given by the deployment itself: the settings' environment, and the hash of the code bundle.
BY_THE_DEPLOYMENT = ("Environment", "ArtifactsPrefix")
# Stands for a value that exists only after a deployment: an output of another stack, an id, an ARN.
SOME_VALUE = "(known after deployment)"
PSEUDO_PARAMETERS = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
}


def broken_constraint(spec: Mapping[str, Any], value: Any) -> str | None:
    """How a value breaks a parameter's constraints; None when it keeps them."""
    allowed = [str(item) for item in as_list(spec.get("AllowedValues"))]
    for item in str(value).split(",") if spec.get("Type") == "CommaDelimitedList" else [str(value)]:
        if allowed and item not in allowed:
            return f"is {item!r}, and none of {', '.join(allowed)}"
        try:
            if spec.get("AllowedPattern") and not re.fullmatch(str(spec["AllowedPattern"]), item):
                return f"is {item!r}, which AllowedPattern does not match"
        except (re.error, OverflowError, RecursionError) as error:
            return f"cannot be checked: AllowedPattern is no regular expression ({error})"
    return _out_of_bounds(spec, str(value))


def _out_of_bounds(spec: Mapping[str, Any], value: str) -> str | None:
    try:
        size = float(value) if spec.get("Type") == "Number" else float(len(value))
    except ValueError:
        return f"is {value!r}, which is no number"
    least, most = ("MinValue", "MaxValue") if spec.get("Type") == "Number" else ("MinLength", "MaxLength")
    low, high = number(spec, least), number(spec, most)
    if (low is not None and size < low) or (high is not None and size > high):
        return f"is {value!r}: outside of {spec.get(least, '')}..{spec.get(most, '')}"
    return None


def number(spec: Mapping[str, Any], key: str) -> float | None:
    """A bound of a parameter; None when it has none, or one that is no number."""
    try:
        return float(spec[key])
    except (LookupError, TypeError, ValueError, OverflowError):
        return None


def values_in(document: Document, environment: Document, outputs: Iterable[str]) -> dict[str, Any]:
    """Value of each parameter by name, in the order of precedence that the deployment has.

    :param outputs: names of the outputs of the stacks that come before
    """
    given = environment.section("stacks").get(document.name, {})
    found: dict[str, Any] = dict(PSEUDO_PARAMETERS)
    for name, spec in document.section("Parameters").items():
        if name == "Environment":
            found[name] = environment.name
        elif name in given:
            found[name] = given[name]
        elif name in outputs or name in BY_THE_DEPLOYMENT:
            found[name] = SOME_VALUE
        else:
            found[name] = spec.get("Default", SOME_VALUE)
    return found


def created_resources(document: Document, values: Mapping[str, Any]) -> list[str]:
    """Logical ids of the resources whose condition holds for these values."""
    sections = {name: inner(document.data, name) for name in ("Conditions", "Mappings")}
    known = Values({**sections, "Parameters": document.section("Parameters")}, values)
    return [
        logical_id
        for logical_id, item in document.resources().items()
        if "Condition" not in item or _holds(known, str(item["Condition"]))
    ]


def _holds(known: Values, condition: str) -> bool:
    try:
        return known.holds(condition)
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return False  # a condition that does not exist, or names itself: cfn-lint says so
