"""cfn-lint as a library: one run over all templates, so that its rules and the resource schemas are loaded once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Any

from concert_platform.validate.findings import Finding, Severity, ValidatorError, one_line

# Schemas of one region: the WAF of a CloudFront distribution exists in this one only.
REGION = "us-east-1"
# Checks against lists that end on the day of a release, by the release that knows what the templates use. A worker has
# the older one that MWAA's constraints name, whose list of IAM actions (W3037) lacks later ones; `make lint` asks all.
COMPLETE_SINCE = {"W3037": (1, 58)}
LONGEST_MESSAGE = 300  # characters: some messages list all that would be allowed
SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "informational": "info"}


def lint(paths: Sequence[tuple[Path, str]]) -> list[Finding]:
    """What cfn-lint finds, at every level.

    :param paths: each file with the path to print
    :raises ValidatorError: when cfn-lint is not installed, or fails
    """
    try:
        from cfnlint.config import ConfigMixIn
        from cfnlint.runner import Runner
    except ImportError as error:
        raise ValidatorError(f"cfn-lint is not installed ({error}): install requirements.txt") from None
    logging.getLogger("cfnlint").setLevel(logging.WARNING)  # it announces every file, in the midst of the findings
    shown = {str(path): where for path, where in paths}
    ignored = outdated_checks(version("cfn-lint"))
    options = ["--regions", REGION, "--include-checks", "I", *(["--ignore-checks", *ignored] if ignored else [])]

    def matches(*files: str) -> list[Any]:
        return list(Runner(ConfigMixIn([*options, "--", *files])).run())

    try:
        found = matches(*shown) if shown else []
    except (Exception, SystemExit) as error:
        where = shown[_culprit(list(shown), matches)]
        raise ValidatorError(f"cfn-lint cannot read {where}: {one_line(error)}") from error
    return [
        Finding(
            where=shown.get(str(match.filename), str(match.filename)),
            line=match.linenumber,
            rule=f"cfn-lint/{match.rule.id}",
            severity=SEVERITIES.get(match.rule.severity, "error"),
            message=shorten(match.message, LONGEST_MESSAGE, placeholder=" ..."),
            remedy=f"see {match.rule.source_url}" if match.rule.source_url else match.rule.shortdesc,
        )
        for match in found
    ]


def _culprit(files: Sequence[str], matches: Callable[[str], object]) -> str:
    """The first of the files on which cfn-lint fails."""
    for file in files[:-1]:
        try:
            matches(file)
        except (Exception, SystemExit):  # noqa: BLE001 - the caller raises what it was
            return file
    return files[-1]


def outdated_checks(release: str) -> list[str]:
    """Checks that a release of cfn-lint is too old for."""
    has = tuple(int(part) for part in release.split(".")[:2])
    return [check for check, since in COMPLETE_SINCE.items() if has < since]
