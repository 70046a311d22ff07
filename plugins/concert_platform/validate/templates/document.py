"""A template or parameter file as data, with the line of each part of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from concert_platform.cloudformation.documents import parse_nodes

Steps = tuple[str | int, ...]  # keys and list positions from the top of a document
FEWEST_WORDS = 3  # of a reason


@dataclass(frozen=True)
class Place:
    """Where a finding points to."""

    where: str
    line: int


class DocumentError(ValueError):
    """A file is no YAML mapping that CloudFormation could read."""

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
            # CloudFormation takes no alias, and one that contains itself has no end.
            again = _used_again(root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise DocumentError(Place(where, line), f"not YAML: {error.problem}") from None
        except RecursionError:
            raise DocumentError(Place(where, 1), "nested too deeply") from None
        except (yaml.YAMLError, ValueError, LookupError) as error:  # the last two: `!!int a`, `!!bool a`
            raise DocumentError(Place(where, 1), f"not YAML: {' '.join(str(error).split())}") from None
        if again is not None:
            raise DocumentError(Place(where, again.start_mark.line + 1), "an alias points here: write it out")
        if root is None or not isinstance(data, dict):
            raise DocumentError(Place(where, 1), "not a YAML mapping")
        return cls(name, where, text, _with_text_keys(data), root)

    @classmethod
    def read(cls, name: str, path: Path, where: str) -> Document:
        """:raises DocumentError: when the file is no text, or its text no YAML mapping"""
        content = path.read_bytes()
        try:
            return cls.parse(name, content.decode(), where)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise DocumentError(Place(where, line), f"not UTF-8: byte {content[error.start]:#04x}") from None

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def at(self, *path: str | int) -> Place:
        """The line of a part; of the nearest part around it where it does not exist; the first without a path."""
        return Place(self.where, self._find(path)[1].line + 1 if path else 1)

    def has_reason(self, *path: str | int) -> bool:
        """Whether a comment gives a reason on the line on which a part's value begins."""
        node, _ = self._find(path)
        begin, end = node.start_mark, node.end_mark
        line = self.lines[begin.line] if begin.line < len(self.lines) else ""
        behind = line[end.column if end.line == begin.line else begin.column :]
        return is_reason(behind.partition(" #")[2])

    def section(self, name: str) -> dict[str, dict[str, Any]]:
        """Entries of a section that are mappings; cfn-lint finds those that are not."""
        entries = self.data.get(name)
        return {str(k): v for k, v in entries.items() if isinstance(v, dict)} if isinstance(entries, dict) else {}

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Resources by logical id, of some types or of all."""
        return {key: item for key, item in self.section("Resources").items() if not types or item.get("Type") in types}

    def _find(self, path: Steps) -> tuple[yaml.Node, Any]:
        """A part's node, or the nearest around it, and where its key begins."""
        node, mark = self.root, self.root.start_mark
        for step in path:
            if node.tag.startswith("!") and step in (node.tag[1:], f"Fn::{node.tag[1:]}"):
                continue  # the short form of an intrinsic function has no node of its own for its name
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            mark = key.start_mark
        return node, mark


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The key (a list has none: the item itself) and value of a step."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _used_again(root: yaml.Node | None) -> yaml.Node | None:
    """A node that stands in more than one place of a document."""
    seen, waiting = set[int](), [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            return node
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return None


def _with_text_keys(value: Any) -> Any:
    """A value whose keys are text, as in JSON: YAML also has numbers, dates and nothing."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value


def is_reason(text: Any) -> bool:
    """Whether a comment has the words to say why; `x`, `ok` and `needed` say nothing."""
    return isinstance(text, str) and len(set(re.findall(r"[^\W\d_]+", text))) >= FEWEST_WORDS


def properties(resource: dict[str, Any]) -> dict[str, Any]:
    return inner(resource, "Properties")


def inner(value: Any, *keys: str) -> dict[str, Any]:
    """A mapping below these keys; an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


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
