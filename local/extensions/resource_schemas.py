"""AWS's resource schemas, as cfn-lint carries them: what a type takes, what identifies it and what it gives back."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def _root() -> Path:
    found = find_spec("cfnlint")  # not imported: it would load all its rules
    if found is None or found.origin is None:
        raise ImportError("cfn-lint is missing: it comes with ministack[full]")
    return Path(found.origin).parent / "data" / "schemas"


@cache
def _files() -> dict[str, str]:
    # The region that has every type: WAF of CloudFront, billing and the rest exist there only.
    return json.loads((_root() / "providers" / "us-east-1.json").read_text())


@cache
def schema(kind: str) -> dict[str, Any] | None:
    """The schema of a type, or None for one that AWS does not publish."""
    if kind not in _files():
        return None
    return json.loads((_root() / "resources" / f"{_files()[kind]}.json").read_text())


def names(kind: str, section: str) -> list[str]:
    """Properties of a section (readOnlyProperties, createOnlyProperties, primaryIdentifier), nested ones with dots."""
    pointers = (schema(kind) or {}).get(section, [])
    return [pointer.removeprefix("/properties/").replace("/", ".") for pointer in pointers]


def tag_property(kind: str) -> tuple[str, str] | None:
    """Name of the property that takes tags and its shape, ``list`` or ``map``."""
    found = schema(kind) or {}
    name = found.get("tagging", {}).get("tagProperty", "/properties/Tags").removeprefix("/properties/")
    if name not in found.get("properties", {}):
        return None
    return name, "list" if resolved(found, found["properties"][name]).get("type") == "array" else "map"


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema with its reference followed."""
    while reference := part.get("$ref"):
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
    return part
