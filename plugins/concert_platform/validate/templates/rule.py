"""A rule: a pure function over parsed files that yields what breaks it, under a name and with a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from concert_platform.validate.findings import Finding, ValidatorError, one_line
from concert_platform.validate.templates.document import Document, Place

Hits = Iterator[tuple[Place, str]]  # where, and what is wrong there


@dataclass(frozen=True)
class Platform:
    """All templates in the order of deployment, the parameter files by environment, and where the tools look."""

    templates: Mapping[str, Document]
    environments: Mapping[str, Document]
    folders: Sequence[Path] = ()


def subject_name(subject: object) -> str:
    return subject.where if isinstance(subject, Document) else "the templates together"


@dataclass(frozen=True)
class Rule[Subject]:
    """A rule about one template, or about the platform as a whole."""

    id: str
    remedy: str
    hits: Callable[[Subject], Hits]

    def check(self, subject: Subject) -> list[Finding]:
        """:raises ValidatorError: when the rule itself does not work: then nobody knows whether the subject is valid"""
        try:
            hits = list(self.hits(subject))
        except Exception as error:
            raise ValidatorError(f"rule {self.id} cannot read {subject_name(subject)}: {one_line(error)}") from error
        return [Finding(place.where, place.line, self.id, "error", message, self.remedy) for place, message in hits]


def template_rule(rule_id: str, remedy: str) -> Callable[[Callable[[Document], Hits]], Rule[Document]]:
    """Make a rule about one template of a function."""
    return lambda hits: Rule(rule_id, remedy, hits)


def platform_rule(rule_id: str, remedy: str) -> Callable[[Callable[[Platform], Hits]], Rule[Platform]]:
    """Make a rule about all templates together of a function."""
    return lambda hits: Rule(rule_id, remedy, hits)
