"""Events of the Ticketmaster Discovery API v2: page by page, each page's bytes as they came.

The API counts requests per second and per day, answers 429 when they are used up, and serves no deeper page than the
one that holds event 1,000: a longer listing is read in spans of time that are short enough. Its pages are of several
moments: where there is more than one, all are asked for twice, and stand when both times name the same events.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, starmap
from pathlib import Path
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.budget import Budget
from concert_platform.sources.client import Answer, Api, SourceClient
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.errors import ListingError, LongListingError
from concert_platform.sources.keys import ApiKey, source_keys
from concert_platform.sources.responses import Event, Listing, Reference
from concert_platform.sources.run import IngestRun

SOURCE, ENTITY = "ticketmaster", "event"
API = Api(SOURCE, "Ticketmaster", interval=0.2)  # 5 requests a second
PATH = "/discovery/v2/events.json"
# Of any language, which else is English alone; also those whose day or time is not known yet.
EVERY_EVENT = {"classificationName": "music", "locale": "*", "includeTBA": "yes", "includeTBD": "yes"}
SORT = "id,asc"  # the one order of the API that has no ties, in which pages may repeat one event and omit another
PAGE_SIZE = 20  # the API's default; small pages keep the part small that a changed event delivers again
DEEPEST = 1000  # page x size must stay below it
LARGEST_PAGE = 200  # events; for the second reading, and for spans of a long listing: small ones use up the day's quota
FIRST_SPAN = timedelta(days=180)  # of a long listing; what follows is the next span
SHORTEST_SPAN = timedelta(minutes=1)
LAST_DAY = datetime(2100, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """One page of a listing, whose bytes wait in a file: a listing may have more pages than a worker has memory for.

    :param answer: without content and body
    :param events: what tells each of its events from others
    :param named: (kind, id) of the attractions and venues that its events name
    """

    number: int
    answer: Answer
    path: Path
    version: str
    events: tuple[str, ...]
    named: frozenset[tuple[str, str]]
    total_pages: int
    total_events: int

    @property
    def records(self) -> int:
        return len(self.events)


def ingest_events(run: IngestRun) -> dict[str, Any]:
    """Deliver the pages that changed since they were last delivered for the same day.

    A listing is delivered whole or not at all: its pages shift when an event comes in, so they belong together.
    """
    delivery = Delivery(run, SOURCE, ENTITY)
    if delivery.is_committed:
        return delivery.commit()
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        for number, page in enumerate(EventListing(api_client(), Path(folder)).pages(starting=run.dt)):
            item = f"page#{run.dt}#{number:04d}"
            # `_links` of a page repeat the query; everything of the answer counts, since the bytes are what is kept.
            if delivery.is_new(item, page.version):
                delivery.add_answer(
                    f"page-{number:04d}-{page.version[:12]}.json", page.answer, item=item, version=page.version,
                    content=page.path, records=page.records, records_path="_embedded.events",
                )  # fmt: skip
                for kind, identifier in sorted(page.named):
                    delivery.note(f"seen#{kind}#{identifier}", run.dt[:7])
        return delivery.commit()


def references(events: list[Any]) -> Iterator[tuple[str, str]]:
    """("attraction" or "venue", id) of what events name; ticketmaster_entities.py asks for those."""
    for event in Event.each(events):
        for kind, records in (("attraction", event.embedded.attractions), ("venue", event.embedded.venues)):
            yield from ((kind, record.id) for record in Reference.each(records))


def api_client(*, budget: Budget | None = None, sleep: Callable[[float], None] = time.sleep) -> SourceClient:
    """Client with the key of Secrets Manager.

    :raises SourceKeyError: when there is none
    """
    (key,) = source_keys(SOURCE, "api_key")
    return SourceClient(API, settings().source_url(SOURCE), ApiKey(key, parameter="apikey"), budget=budget, sleep=sleep)


class EventListing:
    """Reader of the event listing.

    :param folder: for the pages' bytes
    """

    def __init__(self, client: SourceClient, folder: Path) -> None:
        self._client, self._folder = client, folder
        self._read_pages = 0

    def pages(self, *, starting: str, size: int = PAGE_SIZE) -> list[Page]:
        """All pages of the music events from a day on.

        :param starting: first day
        :raises RefusedError: at once, when trying again will not help
        :raises UnavailableError: after all attempts
        :raises ListingError: when the listing changes while it is read
        """
        start = datetime.fromisoformat(starting).replace(tzinfo=UTC)
        return self._listing(start, None, size)

    def _listing(self, start: datetime, end: datetime | None, size: int) -> list[Page]:
        """Pages of the events from ``start`` to before ``end``, in as many spans as their number asks for."""
        for _ in range(2):  # once more when an event came or went meanwhile
            pages = list(starmap(self._page, enumerate(self._answers(start, end, size))))
            total, read = pages[0].total_events, sum(page.records for page in pages)
            if total > DEEPEST:
                middle = _middle(start, end)
                return self._listing(start, middle, LARGEST_PAGE) + self._listing(middle, end, LARGEST_PAGE)
            if {page.total_events for page in pages} == {read} and self._stands(pages, start, end):
                return pages
        raise ListingError(
            f"Ticketmaster listing from {start:%Y-%m-%dT%H:%M:%SZ} changed twice while it was read ({read} events of "
            f"{pages[-1].total_events}): run the task again"
        )

    def _stands(self, pages: list[Page], start: datetime, end: datetime | None) -> bool:
        """Whether the listing has the same events when it is read again.

        One that goes while another comes leaves their number as it was, and moves a third one past the edge of a page.
        """
        if len(pages) == 1:
            return True  # of one moment
        again = self._answers(start, end, LARGEST_PAGE)
        return Counter(event for page in pages for event in page.events) == Counter(
            _identity(event) for answer in again for event in answer.body.embedded.events
        )

    def _answers(self, start: datetime, end: datetime | None, size: int) -> Iterator[Answer]:
        """Answers with the pages of one listing; of one that is too long, the first."""
        query = {**EVERY_EVENT, "startDateTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "size": str(size), "sort": SORT}
        if end is not None:  # the API counts both ends in
            query["endDateTime"] = f"{end - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
        for number in count():
            answer = self._client.get(PATH, {**query, "page": str(number)}, what=f"page {number}", model=Listing)
            yield answer
            numbers = answer.body.page
            if number + 1 >= numbers.total_pages or numbers.total_elements > DEEPEST:
                return

    def _page(self, number: int, answer: Answer) -> Page:
        """Put the bytes of a page into a file."""
        events, numbers = answer.body.embedded.events, answer.body.page
        self._read_pages += 1
        path = self._folder / f"page-{self._read_pages}.json"
        path.write_bytes(answer.content)
        return Page(
            number, replace(answer, content=b"", body=None), path, hashlib.sha256(answer.content).hexdigest(),
            tuple(map(_identity, events)), frozenset(references(events)), numbers.total_pages, numbers.total_elements,
        )  # fmt: skip


def _identity(event: Any) -> str:
    """The event's id, which tells an event from others; of a record without one, the record."""
    identifier = event.get("id") if isinstance(event, dict) else None
    return identifier if isinstance(identifier, str) else json.dumps(event, sort_keys=True)


def _middle(start: datetime, end: datetime | None) -> datetime:
    """Where to cut a span of time that has too many events.

    :raises LongListingError: when it is too short, or the API does not heed it
    """
    middle = start + FIRST_SPAN if end is None else start + (end - start) // 2
    middle = middle.replace(second=0, microsecond=0)
    if middle > LAST_DAY or middle - start < SHORTEST_SPAN:
        raise LongListingError(
            f"Ticketmaster lists more than {DEEPEST:,} events from {start:%Y-%m-%dT%H:%M:%SZ} on, however short the "
            f"span, and serves {DEEPEST:,} of a listing: narrow the query in {__name__}"
        )
    return middle
