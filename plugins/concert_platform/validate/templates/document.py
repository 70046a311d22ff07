"""A template or parameter file as data, with the line of each part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from concert_platform.cloudformation.documents import parse_nodes

Steps = tuple[str | int, ...]  # keys and list positions from the top of a document


@dataclass(frozen=True)
class Place:
    """Where a finding points to."""

    where: str
    line: int


class DocumentError(ValueError):
    """A file is no YAML mapping."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Document:
    """A file's text, its data with intrinsic functions in their long form, and its nodes, which know their lines."""

    name: str  # short name of the stack, or the environment of a parameter file
    where: str  # path to print
    text: str
    data: dict[str, Any]
    root: yaml.Node

    @classmethod
    def parse(cls, name: str, text: str, where: str | None = None) -> Document:
        """:raises DocumentError: when the text is no YAML mapping"""
        where = where or f"{name}.yaml"
        try:
            root, data = parse_nodes(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise DocumentError(Place(where, line), f"not YAML: {error.problem}") from None
        except (yaml.YAMLError, ValueError) as error:
            raise DocumentError(Place(where, 1), f"not YAML: {' '.join(str(error).split())}") from None
        if root is None or not isinstance(data, dict):
            raise DocumentError(Place(where, 1), "not a YAML mapping")
        return cls(name, where, text, data, root)

    @classmethod
    def read(cls, name: str, path: Path, where: str) -> Document:
        return cls.parse(name, path.read_text(), where)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def at(self, *path: str | int) -> Place:
        """The line of a part; of the nearest part around it where it does not exist; the first without a path."""
        return Place(self.where, self._mark(path).line + 1 if path else 1)

    def has_comment(self, *path: str | int) -> bool:
        """Whether text stands behind a `#` on the line on which a part's value begins."""
        mark = self._mark(path, of_value=True)
        _, sign, reason = self.lines[mark.line][mark.column :].partition(" #")
        return bool(sign and reason.strip())

    def section(self, name: str) -> dict[str, dict[str, Any]]:
        """Entries of a section that are mappings; cfn-lint finds those that are not."""
        entries = self.data.get(name)
        return {str(k): v for k, v in entries.items() if isinstance(v, dict)} if isinstance(entries, dict) else {}

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Resources by logical id, of some types or of all."""
        return {key: item for key, item in self.section("Resources").items() if not types or item.get("Type") in types}

    def _mark(self, path: Steps, *, of_value: bool = False) -> Any:
        node, mark = self.root, self.root.start_mark
        for step in path:
            if node.tag.startswith("!") and step in (node.tag[1:], f"Fn::{node.tag[1:]}"):
                continue  # the short form of an intrinsic function has no node of its own for its name
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            mark = node.start_mark if of_value else key.start_mark
        return mark


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key (a list has none: the item itself) and value of a step."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def properties(resource: dict[str, Any]) -> dict[str, Any]:
    found = resource.get("Properties")
    return found if isinstance(found, dict) else {}


def as_list(value: Any) -> list[Any]:
    """CloudFormation and IAM take one value in place of a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def walk(value: Any, path: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Every part of a value with its path, the value itself first."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*path, index))
