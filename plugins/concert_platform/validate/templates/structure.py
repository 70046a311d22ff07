"""Rule about the shape that cfn-lint and every other rule rely on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from concert_platform.validate.templates.document import Document, Steps
from concert_platform.validate.templates.rule import Hits, template_rule

SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs")
OF_MAPPINGS = ("Parameters", "Mappings", "Resources", "Outputs")  # sections whose entries are mappings
CONFIGURATION = ("Metadata", "cfn-lint", "config")  # where one of these is no mapping, cfn-lint fails


@template_rule("readable", "correct the file")
def readable(document: Document) -> Hits:
    for name in SECTIONS:
        section = document.data.get(name, {})
        if not isinstance(section, dict):
            yield document.at(name), f"section {name} is no mapping"
        elif name in OF_MAPPINGS:
            for key, entry in section.items():
                if not isinstance(entry, dict):
                    yield document.at(name, key), f"{key} in section {name} is no mapping"
    if document.data.get("Resources", {}) == {}:
        yield document.at("Resources"), "the template has no resources"
    holders = [((), document.data), *((("Resources", key), item) for key, item in document.resources().items())]
    for place, holder in holders:
        for path, kind in _misshapen(holder, place, CONFIGURATION):
            yield document.at(*path), f"{'.'.join(map(str, path))} is no {kind}"


def _misshapen(holder: Any, path: Steps, below: tuple[str, ...]) -> Iterator[tuple[Steps, str]]:
    """What is no mapping, or no list, on the way to the checks that cfn-lint shall ignore."""
    if not isinstance(holder, dict):
        yield path, "mapping"
    elif below and below[0] in holder:
        yield from _misshapen(holder[below[0]], (*path, below[0]), below[1:])
    elif not below and not isinstance(holder.get("ignore_checks", []), list):
        yield (*path, "ignore_checks"), "list"


RULES = (readable,)
