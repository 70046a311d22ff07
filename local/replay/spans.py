"""Which recorded events a listing from startDateTime to endDateTime holds.

As in the API, both ends count in, and an event's time is its dateTime, else its local day and time. Unlike in the API,
every recorded event lies in some span of a listing, so that all are ingested on any day and in any number:

- one from before the listing's beginning comes in the year after it, at the same distance within that year
- one without a time comes at some time of its day, one without a day on some day of that year, always the same one

A listing that is too long is read over one connection in spans that follow one another: the second after a span's end
begins the next one of the same listing. The rest of one listing and the whole of another that starts on that day are
the same request, so that only the connection tells them apart.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from local.replay.payloads import text

FORMAT = "%Y-%m-%dT%H:%M:%SZ"  # the only one that the API takes
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)  # where a listing without a start begins
YEAR, DAY, SECOND = timedelta(days=365), timedelta(days=1), timedelta(seconds=1)


class Spans:
    """The listings that are read over one connection, one after the other, and the events of their spans."""

    def __init__(self) -> None:
        self._beginning = EARLIEST  # of the listing
        self._first: datetime | None = None  # of the span that was asked for last
        self._last: datetime | None = None
        self._size = 0

    def within(self, events: Iterable[Any], start: str | None, end: str | None, page: int, size: int) -> list[Any]:
        """Events of one span.

        :param start: as the query has it; None: from the first event on
        :param end: None: to the last one
        :param page: number of the page that is asked for, the first one being 0
        :param size: of the pages
        :raises ValueError: when one of them has another form
        """
        first = _parsed(start) if start is not None else EARLIEST
        last = _parsed(end) if end is not None else None
        if not self._continues(first, last, page, size):
            self._beginning = first
        self._first, self._last, self._size = first, last, size
        moments = ((event, _moment(event, self._beginning)) for event in events)
        return [event for event, moment in moments if first <= moment and (last is None or moment <= last)]

    def _continues(self, first: datetime, last: datetime | None, page: int, size: int) -> bool:
        """Whether a span is of the listing whose span was asked for last: the same one, a part of it, or the next one.

        One without an end that is asked for anew is the same one in pages of the same size, and in others the whole of
        another listing: the connector begins in small pages, and reads the rest of a long one in large ones, twice.
        """
        if first == self._first:
            return last is not None or page > 0 or size == self._size
        return self._last is not None and first == self._last + SECOND


def _parsed(moment: str) -> datetime:
    found = datetime.strptime(moment, FORMAT).replace(tzinfo=UTC)
    if not EARLIEST <= found < EARLIEST + 1000 * YEAR:
        raise ValueError(f"{moment} is no day of concerts")
    return found


def _moment(event: Any, beginning: datetime) -> datetime:
    """When a listing that begins then has an event."""
    recorded = _recorded(event)
    if recorded is None:
        return beginning + _some(event, YEAR)
    return recorded if recorded >= beginning else beginning + (recorded - beginning) % YEAR


def _recorded(event: Any) -> datetime | None:
    """The second in which an event begins, as far as it tells: local times are taken for those of UTC."""
    moment, day, clock = (text(event, "dates", "start", name) for name in ("dateTime", "localDate", "localTime"))
    for candidate in (moment, f"{day}T{clock}", day):
        try:
            found = datetime.fromisoformat(candidate)
        except ValueError:
            continue
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).replace(microsecond=0)
        return found + _some(event, DAY) if candidate == day else found
    return None


def _some(event: Any, span: timedelta) -> timedelta:
    """A whole number of seconds below the span: the same for the same event, and spread over it for many."""
    name = text(event, "id") or json.dumps(event, sort_keys=True)
    return timedelta(seconds=zlib.crc32(name.encode("utf-8", "surrogatepass")) % int(span.total_seconds()))
