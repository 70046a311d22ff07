"""Exceptions of the sources; each message is one line: what failed, why, what to do."""

from __future__ import annotations

from concert_platform.compat import AirflowException, AirflowFailException


class SourceError(AirflowException):
    """A source could not be read; trying again later may help."""


class RefusedError(AirflowFailException):
    """A source could not be read, and trying again will not help before somebody acts."""
