"""One record after the other: what is at fault with one of them holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from concert_platform.sources.delivery import Delivery
from concert_platform.sources.errors import (
    ListingError,
    RefusedError,
    RefusedRequestError,
    SourceError,
    UnavailableError,
)

OF_ONE_RECORD = (RefusedRequestError, UnavailableError, ListingError)
MOST_OUTAGES = 5  # records in a row that cannot be read, each after all attempts: then the API is out of order
NAMED = 5  # failures that the summary quotes

Failure = SourceError | RefusedError


def deliver_each[Record](delivery: Delivery, records: Iterable[Record], deliver: Callable[[Record], None]) -> None:
    """Deliver records and commit what was delivered; a record that fails is passed over and named at the end.

    A refused key, a spent quota or budget, and MOST_OUTAGES end the loop: the records behind would fare no better.

    :raises SourceError: after the commit, when a record was not read and trying again may help
    :raises RefusedError: after the commit, when it will not
    """
    failures: list[Failure] = []
    outages = 0
    try:
        for record in records:
            try:
                deliver(record)
                outages = 0
            except OF_ONE_RECORD as error:
                failures.append(error)
                outages = outages + 1 if isinstance(error, UnavailableError) else 0
                if outages == MOST_OUTAGES:
                    break
    except (SourceError, RefusedError) as error:
        delivery.commit()
        raise summary([error, *failures]) from error
    delivery.commit()
    if failures:
        # A task that may succeed when it is tried again is tried again.
        raise summary(sorted(failures, key=lambda one: isinstance(one, RefusedError)))


def summary(failures: list[Failure]) -> Failure:
    """One error for all, of the first one's kind; a single one stays what it is."""
    first, number = failures[0], len(failures)
    if number == 1:
        return first
    more = f"; and {number - NAMED} more" if number > NAMED else ""
    return type(first)(f"{number} failures: {'; '.join(map(str, failures[:NAMED]))}{more}")
