"""cfn-lint as a library: one run over all templates, so that its rules and the resource schemas are loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from concert_platform.validate.findings import Finding, Severity, ValidatorError

# Schemas of one region: the WAF of a CloudFront distribution exists in this one only.
REGION = "us-east-1"
SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "informational": "info"}


def lint(paths: Sequence[tuple[Path, str]]) -> list[Finding]:
    """What cfn-lint finds, at every level.

    :param paths: each file with the path to print
    :raises ValidatorError: when cfn-lint is not installed
    """
    try:
        from cfnlint.config import ConfigMixIn
        from cfnlint.runner import Runner
    except ImportError as error:
        raise ValidatorError(f"cfn-lint is not installed ({error}): install requirements.txt") from None
    shown = {str(path): where for path, where in paths}
    config = ConfigMixIn(["--regions", REGION, "--include-checks", "I", "--", *shown])
    return [
        Finding(
            where=shown.get(str(match.filename), str(match.filename)),
            line=match.linenumber,
            rule=f"cfn-lint/{match.rule.id}",
            severity=SEVERITIES.get(match.rule.severity, "error"),
            message=" ".join(match.message.split()),
            remedy=f"see {match.rule.source_url}" if match.rule.source_url else match.rule.shortdesc,
        )
        for match in Runner(config).run()
    ]
