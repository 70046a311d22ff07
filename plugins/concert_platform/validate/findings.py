"""What a validator finds, and how it is shown: as a table to people, as JSON to machines."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]
NARROWEST = 40  # characters of the last column
LONGEST_ERROR = 200  # characters


class ValidatorError(RuntimeError):
    """A validator could not look at anything; the message is one line that says why and what to do."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that somebody must mend: each counts, whatever its severity.

    :param where: file, or the name of a deployed resource
    :param line: 1 is the first; 0 where the finding has no line
    :param rule: name of the rule, stable for machines
    """

    where: str
    line: int
    rule: str
    severity: Severity
    message: str
    remedy: str

    @property
    def place(self) -> str:
        return f"{self.where}:{self.line}" if self.line else self.where

    def __str__(self) -> str:
        return f"{self.place} [{self.rule}] {self.message}: {self.remedy}"


def one_line(error: BaseException) -> str:
    """What an error says, as part of a ValidatorError's message."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_ERROR]


def failure_as_json(validator: str, message: str) -> str:
    """``{"validator": ..., "error": ...}``, without findings: nothing was looked at."""
    return json.dumps({"validator": validator, "error": message}, indent=2)


def table(validator: str, findings: Sequence[Finding], width: int) -> str:
    """A header and a row for each finding, its last cell wrapped; one line in all when there is none.

    :param width: characters of a line
    """
    if not findings:
        return f"{validator}: nothing found"
    header = ("WHERE", "RULE", "SEVERITY", "WHAT, AND WHAT TO DO")
    rows = [header, *((f.place, f.rule, f.severity, f"{f.message}: {f.remedy}") for f in findings)]
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(3)]
    indent = sum(widths)
    lines = [f"{validator}: {len(findings)} found"]
    for row in rows:
        first, *more = textwrap.wrap(row[3], max(width - indent, NARROWEST))
        lines.append("".join(cell.ljust(size) for cell, size in zip(row, widths, strict=False)) + first)
        lines += [" " * indent + line for line in more]
    return "\n".join(lines)


def as_json(validator: str, findings: Sequence[Finding]) -> str:
    """``{"validator": ..., "findings": [{"where", "line", "rule", "severity", "message", "remedy"}]}``"""
    return json.dumps({"validator": validator, "findings": [asdict(finding) for finding in findings]}, indent=2)
