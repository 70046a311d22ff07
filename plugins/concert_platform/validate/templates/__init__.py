"""Validator cloudformation-templates: cfn-lint, and the platform's own rules, without touching AWS.

document.py      a file as data, with the line of each part
rule.py          what a rule is
interface.py     comment, parameters, outputs
structure.py     sections and entries are mappings
security.py      retention, buckets
policies.py      who may do what to which things
suppressions.py  silenced checks
api.py           deployments of an API
platform.py      the templates together, and the values of each environment
parameters.py    constraints of values, conditions
linter.py        cfn-lint
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.resources import resource
from concert_platform.settings import ENVIRONMENTS
from concert_platform.validate.findings import Finding, ValidatorError
from concert_platform.validate.templates import (
    api,
    interface,
    linter,
    platform,
    policies,
    security,
    structure,
    suppressions,
)
from concert_platform.validate.templates.document import Document, DocumentError
from concert_platform.validate.templates.rule import Platform

SUMMARY = "cfn-lint and the platform's own rules on include/cfn; targets are stacks or template files"
TEMPLATE_RULES = (
    *structure.RULES, *interface.RULES, *security.RULES, *policies.RULES, *suppressions.RULES, *api.RULES
)  # fmt: skip
PLATFORM_RULES = platform.RULES
FOLDER = "include/cfn"


def validate(targets: Sequence[str] = ()) -> list[Finding]:
    """What is wrong with templates; rules about the platform as a whole run when no template of it is left out.

    :param targets: short names of stacks, or paths of template files; every template of the platform when empty
    :raises ValidatorError: when a target does not exist, or cfn-lint is not installed or fails
    """
    files = [_file(target) for target in targets or TEMPLATES]
    documents, findings = _read([(path.stem, path, where) for path, where in files])
    findings += check_templates(documents)
    if {resource(f"{FOLDER}/{name}.yaml") for name in TEMPLATES} == {path for path, _ in files}:
        environments, broken = _read([_environment_file(name) for name in ENVIRONMENTS])
        findings += broken
        if len(documents) == len(TEMPLATES) and len(environments) == len(ENVIRONMENTS):
            findings += check_platform(documents, environments, [Path.cwd(), resource(FOLDER)])
    # cfn-lint fails on some of the files that are not readable, and says of the others again that they are not.
    unreadable = {finding.where for finding in findings if finding.rule == structure.readable.id}
    return sorted({*findings, *linter.lint([file for file in files if file[1] not in unreadable])})


def check_templates(documents: Sequence[Document]) -> list[Finding]:
    """What breaks a rule about single templates."""
    return [finding for document in documents for rule in TEMPLATE_RULES for finding in rule.check(document)]


def check_platform(
    templates: Sequence[Document], environments: Sequence[Document], folders: Sequence[Path] = ()
) -> list[Finding]:
    """What breaks a rule about the platform as a whole; templates in any order.

    :param folders: where configuration files of the linters would be read
    """
    by_name = {document.name: document for document in templates}
    whole = Platform(
        templates={name: by_name[name] for name in TEMPLATES},
        environments={document.name: document for document in environments},
        folders=folders,
    )
    return [finding for rule in PLATFORM_RULES for finding in rule.check(whole)]


def _file(target: str) -> tuple[Path, str]:
    """A target's file, and the path to print."""
    if target in TEMPLATES:
        return resource(f"{FOLDER}/{target}.yaml"), f"{FOLDER}/{target}.yaml"
    if not Path(target).is_file():
        raise ValidatorError(f"{target!r} is no template file and no stack: choose one of {', '.join(TEMPLATES)}")
    return Path(target), target


def _environment_file(name: str) -> tuple[str, Path, str]:
    relative = f"{FOLDER}/parameters/{name}.json"
    return name, resource(relative), relative


def _read(files: Sequence[tuple[str, Path, str]]) -> tuple[list[Document], list[Finding]]:
    documents, findings = [], []
    for name, path, where in files:
        try:
            documents.append(Document.read(name, path, where))
        except DocumentError as error:
            place, rule = error.place, structure.readable
            findings.append(Finding(place.where, place.line, rule.id, "error", str(error), rule.remedy))
        except OSError as error:
            raise ValidatorError(f"{where} cannot be read: {error.strerror}") from None
    return documents, findings
