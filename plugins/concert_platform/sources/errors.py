"""Exceptions of the sources; each message is one line: what failed, why, what to do.

SourceError           a source could not be read; trying again later may help
    UnavailableError      out of reach, out of order, out of quota for a moment, or an answer that breaks off
    ListingError          a listing changes while it is read
RefusedError          trying again will not help before somebody acts or the day ends
    SourceKeyError        the API refuses the key, or the key cannot be read
    RefusedRequestError   the API refuses the request
    LongListingError      a listing is too long to be read, however short the span
    QuotaSpentError       the API says that it will not answer for a long while
    RunIdTakenError       the run has the id of one of another day
    BudgetSpentError      the platform has made as many requests today as it allows itself
"""

from __future__ import annotations

from concert_platform.compat import AirflowException, AirflowFailException


class SourceError(AirflowException):
    """A source could not be read; trying again later may help."""


class UnavailableError(SourceError):
    """An API is out of reach, out of order or out of quota, or its answer breaks off.

    :param wait: seconds after which it says that it will answer again
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class ListingError(SourceError):
    """A listing changes while it is read."""


class RefusedError(AirflowFailException):
    """A source could not be read, and trying again will not help before somebody acts."""


class SourceKeyError(RefusedError):
    """An API refuses the key, or the key cannot be read."""


class RefusedRequestError(RefusedError):
    """An API refuses the request."""


class LongListingError(RefusedError):
    """A listing is too long to be read, however short the span."""


class QuotaSpentError(RefusedError):
    """An API says that it will not answer for longer than a task may wait."""


class RunIdTakenError(RefusedError):
    """A run has the id of one of another day, whose rows its load would take for its own."""


class BudgetSpentError(RefusedError):
    """The platform has made as many requests of a source today as it allows itself."""
