"""Rules about silenced checks of cfn-lint and checkov: few, each on its resource, each with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from concert_platform.validate.templates.document import Document, Place, as_list, inner, is_reason
from concert_platform.validate.templates.rule import Hits, Platform, platform_rule, template_rule

MOST_SUPPRESSIONS = 12  # in all templates, of both tools together
ONE_CHECK = re.compile(r"[EWI]\d{4}|CKV2?_[A-Z]+_\d+")
IN_A_COMMENT = re.compile(r"#\s*checkov:skip=(?P<id>[A-Za-z0-9_]+)(?::(?P<reason>.*))?")
TOOLS = ("cfn-lint", "checkov")
# Both tools read these from the folder in which they are started, and checkov from the one that it scans.
CONFIGURATION_FILES = (
    ".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml", ".checkov.yaml", ".checkov.yml", ".checkov.baseline"
)  # fmt: skip


@dataclass(frozen=True)
class Suppression:
    """One silenced check."""

    id: str
    place: Place
    has_reason: bool


def suppressions(document: Document) -> Iterator[Suppression]:
    """Every check that a resource or a comment silences."""
    for logical_id, item in document.resources().items():
        path = ("Resources", logical_id, "Metadata")
        for index, skip in enumerate(as_list(inner(item, "Metadata", "checkov").get("skip"))):
            found = skip if isinstance(skip, dict) else {"id": skip}
            place = document.at(*path, "checkov", "skip", index)
            yield Suppression(str(found.get("id")), place, is_reason(found.get("comment")))
        for index, check in enumerate(as_list(inner(item, "Metadata", "cfn-lint", "config").get("ignore_checks"))):
            # cfn-lint has no field for a reason: it stands in a comment on the line.
            spot = (*path, "cfn-lint", "config", "ignore_checks", index)
            yield Suppression(str(check), document.at(*spot), document.has_reason(*spot))
    for number, line in enumerate(document.lines, start=1):
        if comment := IN_A_COMMENT.search(line):
            yield Suppression(comment["id"], Place(document.where, number), is_reason(comment["reason"]))


@template_rule("suppression-reason", "mend the resource, or say on the spot why this one check does not fit it")
def suppression_reason(document: Document) -> Hits:
    for found in suppressions(document):
        if not ONE_CHECK.fullmatch(found.id):
            yield found.place, f"{found.id} silences more than one check"
        elif not found.has_reason:
            yield found.place, f"{found.id} is silenced without a reason of a few words"


@template_rule("template-wide-suppression", "silence a check on the resource that it does not fit")
def template_wide_suppression(document: Document) -> Hits:
    for tool in TOOLS:
        if tool in inner(document.data, "Metadata"):
            yield document.at("Metadata", tool), f"metadata of the whole template configures {tool}"


@platform_rule("lint-configuration", "delete the file, and mend what the checks find")
def lint_configuration(platform: Platform) -> Hits:
    for folder in platform.folders:
        for name in CONFIGURATION_FILES:
            if (folder / name).exists():
                yield Place(str(folder / name), 0), "a configuration file silences checks for every template"


@platform_rule("suppression-count", "mend what a check finds instead of silencing it")
def suppression_count(platform: Platform) -> Hits:
    found = [item for document in platform.templates.values() for item in suppressions(document)]
    for item in found[MOST_SUPPRESSIONS:]:
        yield item.place, f"{item.id} is one of {len(found)} silenced checks, and {MOST_SUPPRESSIONS} are allowed"


RULES = (suppression_reason, template_wide_suppression)
