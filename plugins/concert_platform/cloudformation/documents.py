"""A template as a document: functions in their long form, what a part refers to, values known before a deployment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, cast

import yaml

SHORT_FORM_OF_NAMES = ("Ref", "Condition")  # the only tags that are not the short form of an Fn:: function
REFERENCE = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")  # ${!Literal} does not match
ABSENT = {"Ref": "AWS::NoValue"}


class UnknownValueError(LookupError):
    """A value that CloudFormation knows only when it has made the resource that it comes from."""


class _LongFormLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads `!Sub x` as `{"Fn::Sub": "x"}`, and a date as text, as CloudFormation does."""


def _construct(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in SHORT_FORM_OF_NAMES else f"Fn::{suffix}": value}


_LongFormLoader.add_multi_constructor("!", _construct)
_LongFormLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda _loader, node: node.value)


def parse_document(body: str) -> dict[str, Any]:
    return yaml.load(body, Loader=_LongFormLoader)  # noqa: S506 - derived from SafeLoader


def parse_nodes(body: str) -> tuple[yaml.Node | None, Any]:
    """A text's nodes, which know their lines, beside its data."""
    loader = _LongFormLoader(body)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def references(value: Any) -> Iterator[str]:
    """Names of the resources and parameters that a part of a template refers to."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref":
                yield item
            elif key == "Fn::GetAtt":
                yield item[0] if isinstance(item, list) else item.split(".")[0]
            elif key == "Fn::Sub":
                text, own = (item, {}) if isinstance(item, str) else item
                yield from (name.split(".")[0] for name in REFERENCE.findall(text) if name not in own)
                yield from references(list(own.values()))
            else:
                yield from references(item)


class Values:
    """What a template's functions amount to before anything of it exists.

    :param document: result of parse_document
    :param known: parameters and pseudo parameters, such as ``AWS::AccountId``
    """

    def __init__(self, document: Mapping[str, Any], known: Mapping[str, str]) -> None:
        self.document = document
        defaults = {
            name: str(spec["Default"]) for name, spec in (document.get("Parameters") or {}).items() if "Default" in spec
        }
        self.known = {**defaults, **known}

    def of(self, value: Any) -> Any:
        """:raises UnknownValueError: when it depends on a resource, or on a parameter without a value"""
        if not isinstance(value, dict) or len(value) != 1:
            return value
        function, argument = next(iter(value.items()))
        try:
            handler = self._handlers[function]
        except KeyError:
            raise UnknownValueError(f"{function} of {argument}") from None
        return handler(self, argument)

    def holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.of((self.document.get("Conditions") or {})[condition]))

    def _ref(self, name: str) -> str:
        if name not in self.known:
            raise UnknownValueError(name)
        return self.known[name]

    def _sub(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument
        given = {name: str(self.of(item)) for name, item in own.items()}
        filled = REFERENCE.sub(lambda match: given[match[1]] if match[1] in given else self._ref(match[1]), text)
        return filled.replace("${!", "${")

    def _find_in_map(self, argument: list[Any]) -> Any:
        name, first, second = (self.of(part) for part in argument)
        return self.document["Mappings"][name][first][second]

    _handlers: ClassVar[dict[str, Callable[[Values, Any], Any]]] = {
        "Ref": _ref,
        "Fn::Sub": _sub,
        "Fn::FindInMap": _find_in_map,
        "Fn::Join": lambda self, given: given[0].join(str(self.of(part)) for part in given[1]),
        "Fn::If": lambda self, given: self.of(given[1] if self.holds(given[0]) else given[2]),
        "Fn::Equals": lambda self, given: str(self.of(given[0])) == str(self.of(given[1])),
        "Fn::Not": lambda self, given: not self.of(given[0]),
        "Fn::And": lambda self, given: all(self.of(part) for part in given),
        "Fn::Or": lambda self, given: any(self.of(part) for part in given),
        "Condition": lambda self, name: self.holds(name),
    }
