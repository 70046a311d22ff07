"""What is wrong with the data: an error that trying again does not cure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

SPARK_ERRORS = (PySparkException, Py4JJavaError)
# How Spark's message names a file that it cannot read; the footer's one is that of 3.5.
UNREADABLE = re.compile(r"(?:while reading file|read footer for file:|Path does not exist:) (\S+[^\s.])")
# Classes of SQL states: a value that an expression cannot bear, an expression that does not fit the file's columns.
UNFIT = re.compile(r"SQLSTATE: (?:22|42)\w{3}\b")
LONGEST_REASON = 300  # characters


class CurationError(Exception):
    """A run's data cannot be published; the message is one line with the file or gate at fault."""


class GateError(CurationError):
    """Curated data does not pass its expectations.

    :param checks: all results, as rows of checks.json
    """

    def __init__(self, message: str, checks: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.checks = checks


def one_line(error: Exception) -> CurationError | RuntimeError:
    """An error as one line; a CurationError when the data is at fault, not Spark or the storage."""
    if isinstance(error, CurationError):
        return error
    text = " ".join(str(error).split())
    if found := UNREADABLE.search(text):
        return CurationError(f"{found[1]} cannot be read: it is damaged or was removed after ingest")
    if UNFIT.search(text):
        return CurationError(f"its records cannot be curated: {text[:LONGEST_REASON]}")
    return RuntimeError(f"Spark: {text[:LONGEST_REASON]}")
