"""Events of the Ticketmaster Discovery API v2: page by page, each page's bytes as they came.

The API counts requests per second and per day, answers 429 when they are used up, and serves no deeper page than the
one that holds event 1,000: a longer listing is read in spans of time that are short enough.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from concert_platform.settings import settings
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.errors import RefusedError, SourceError
from concert_platform.sources.run import IngestRun

SOURCE, ENTITY = "ticketmaster", "event"
PATH = "/discovery/v2/events.json"
PAGE_SIZE = 20  # the API's default; small pages keep the part small that a changed event delivers again
DEEPEST = 1000  # page x size must stay below it
LARGEST_PAGE = 200  # events; for spans of a long listing, whose small pages would use up the day's quota
FIRST_SPAN = timedelta(days=180)  # of a long listing; what follows is the next span
SHORTEST_SPAN = timedelta(minutes=1)
LAST_DAY = datetime(2100, 12, 31, tzinfo=UTC)
TIMEOUT = (5, 30)  # seconds to connect, to read
ATTEMPTS = 6  # per page
LONGEST_WAIT = 60.0  # seconds; a spent daily quota fails the task instead of holding its slot for hours
KEPT_HEADERS = ("Date", "Content-Type", "ETag")

log = logging.getLogger(__name__)


class TicketmasterKeyError(RefusedError):
    """The API refuses the key, or the key cannot be read."""


class TicketmasterAnswerError(RefusedError):
    """The API refuses the request."""


class TicketmasterUnavailableError(SourceError):
    """The API is out of reach, out of order or out of quota.

    :param wait: seconds after which it says that it will answer again
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class TicketmasterListingError(SourceError):
    """A listing changes while it is read, or is too long to be read."""


@dataclass(frozen=True)
class Page:
    """One answer: its bytes, and what of it the manifest needs."""

    number: int
    url: str
    status: int
    headers: dict[str, str]
    content: bytes
    events: int
    total_pages: int
    total_events: int


def ingest_events(run: IngestRun) -> dict[str, Any]:
    """Deliver the pages that changed since they were last delivered for the same day.

    A listing is delivered whole or not at all: its pages shift when an event comes in, so they belong together.
    """
    delivery = Delivery(run, SOURCE, ENTITY)
    if delivery.is_committed:
        return delivery.commit()
    client = TicketmasterClient(settings().ticketmaster_url, api_key())
    for number, page in enumerate(client.pages(starting=run.dt)):
        item = f"page#{run.dt}#{number:04d}"
        # `_links` of a page repeat the query; everything of the answer counts, since the bytes are what is kept.
        version = _digest(page.content)
        if delivery.is_new(item, version):
            delivery.add(
                f"page-{number:04d}-{version[:12]}.json", page.content, item=item, version=version,
                records=page.events, format="json", status=page.status, headers=page.headers,
                request={"method": "GET", "url": page.url},
            )  # fmt: skip
    return delivery.commit()


def api_key() -> str:
    """The API key from Secrets Manager.

    :raises TicketmasterKeyError: when there is none
    """
    import boto3
    from botocore.exceptions import ClientError

    name = settings().source_secret(SOURCE)
    advice = f'put {{"api_key": ...}} into secret {name}'
    try:
        # The secret's text goes into no variable, since a traceback in a log may show those.
        return str(
            json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])["api_key"]
        )
    except ClientError as error:
        reason = error.response["Error"]["Code"]
    except (ValueError, KeyError, TypeError):
        reason = "the secret is no such JSON"
    raise TicketmasterKeyError(f"no Ticketmaster key ({reason}): {advice}")


class TicketmasterClient:
    """Reader of the event listing.

    :param base_url: address of the API, without path
    :param key: API key; it appears in no error, log or page
    :param sleep: how to wait between attempts
    """

    def __init__(self, base_url: str, key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        import requests

        self.url = f"{base_url.rstrip('/')}{PATH}"
        self._key = key
        self._sleep = sleep
        self._session = requests.Session()

    def pages(self, *, starting: str, size: int = PAGE_SIZE) -> list[Page]:
        """All pages of the music events from a day on.

        :param starting: first day
        :raises RefusedError: at once, when trying again will not help
        :raises TicketmasterUnavailableError: after all attempts
        :raises TicketmasterListingError: when not every event can be read
        """
        start = datetime.fromisoformat(starting).replace(tzinfo=UTC)
        return self._listing(start, None, size)

    def _listing(self, start: datetime, end: datetime | None, size: int) -> list[Page]:
        """Pages of the events from ``start`` to before ``end``, in as many spans as their number asks for."""
        for _ in range(2):  # once more when an event came or went meanwhile
            pages = self._read(start, end, size)
            total, read = pages[0].total_events, sum(page.events for page in pages)
            if total > DEEPEST:
                middle = _middle(start, end)
                return self._listing(start, middle, LARGEST_PAGE) + self._listing(middle, end, LARGEST_PAGE)
            if {page.total_events for page in pages} == {read}:
                return pages
        raise TicketmasterListingError(
            f"Ticketmaster listing from {start:%Y-%m-%dT%H:%M:%SZ} changed twice while it was read ({read} events of "
            f"{pages[-1].total_events}): run the task again"
        )

    def _read(self, start: datetime, end: datetime | None, size: int) -> list[Page]:
        """Pages of one listing; of one that is too long, the first."""
        query = {"classificationName": "music", "startDateTime": f"{start:%Y-%m-%dT%H:%M:%SZ}", "size": str(size)}
        if end is not None:  # the API counts both ends in
            query["endDateTime"] = f"{end - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
        pages = [self._page_with_retries({**query, "page": "0"}, 0)]
        while len(pages) < pages[-1].total_pages and pages[-1].total_events <= DEEPEST:
            pages.append(self._page_with_retries({**query, "page": str(len(pages))}, len(pages)))
        return pages

    def _page_with_retries(self, query: Mapping[str, str], number: int) -> Page:
        from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt

        retrying = Retrying(
            retry=retry_if_exception_type(TicketmasterUnavailableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=before_sleep_log(log, logging.INFO),
            reraise=True,
        )
        return retrying(self._page, query, number)

    def _page(self, query: Mapping[str, str], number: int) -> Page:
        import requests

        url = f"{self.url}?{urlencode(query)}"
        try:
            with _hidden_in_logs(self._key):
                answer = self._session.get(
                    self.url, params={**query, "apikey": self._key}, timeout=TIMEOUT, allow_redirects=False
                )
        except requests.RequestException as error:
            # Its text quotes the address with the key, and a traceback in a log may show the variables of this frame:
            # hence nothing is raised in here.
            answer, failure = None, type(error).__name__
        if answer is None:
            reason = f"Ticketmaster page {number} not read ({failure}): is {self.url} reachable?"
            raise TicketmasterUnavailableError(reason)
        self._check(answer, number)
        try:
            body = answer.json()
            events = len(body.get("_embedded", {}).get("events", []))
            total_pages, total_events = int(body["page"]["totalPages"]), int(body["page"]["totalElements"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TicketmasterUnavailableError(f"Ticketmaster page {number} is no event listing in JSON") from None
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name in KEPT_HEADERS or name.lower().startswith("rate-limit")
        }
        return Page(number, url, answer.status_code, headers, answer.content, events, total_pages, total_events)

    def _check(self, answer: Any, number: int) -> None:
        status = answer.status_code
        if status == 200:
            return
        told = f"Ticketmaster page {number}: {status} {_reason(answer).replace(self._key, '***')}".rstrip()
        if status in (401, 403):
            secret = settings().source_secret(SOURCE)
            raise TicketmasterKeyError(f"{told}: put a valid key into secret {secret}")
        if status == 429:
            wait = _announced_wait(answer.headers)
            raise TicketmasterUnavailableError(f"{told}: the quota returns in {wait or 0:.0f} s", wait)
        if status >= 500:
            raise TicketmasterUnavailableError(f"{told}: the API is out of order, try again later")
        raise TicketmasterAnswerError(f"{told}: the API has changed, look at its release notes")


def _middle(start: datetime, end: datetime | None) -> datetime:
    """Where to cut a span of time that has too many events.

    :raises TicketmasterListingError: when it is too short, or the API does not heed it
    """
    middle = start + FIRST_SPAN if end is None else start + (end - start) // 2
    middle = middle.replace(second=0, microsecond=0)
    if middle > LAST_DAY or middle - start < SHORTEST_SPAN:
        raise TicketmasterListingError(
            f"Ticketmaster lists more than {DEEPEST:,} events from {start:%Y-%m-%dT%H:%M:%SZ} on, however short the "
            f"span, and serves {DEEPEST:,} of a listing: narrow the query in {__name__}"
        )
    return middle


def _wait(state: Any) -> float:
    """Seconds to wait: what the API announced, else twice as long each time; at most LONGEST_WAIT."""
    announced = state.outcome.exception().wait
    wait = announced if announced is not None else 0.5 * 2.0**state.attempt_number
    return min(max(wait, 0.1), LONGEST_WAIT)


def _announced_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until Retry-After (seconds) or Rate-Limit-Reset (milliseconds of the epoch), if either is there."""
    try:
        if "Retry-After" in headers:
            return max(float(headers["Retry-After"]), 0.0)
        return max(float(headers["Rate-Limit-Reset"]) / 1000 - time.time(), 0.0)
    except (KeyError, ValueError):
        return None


def _reason(answer: Any) -> str:
    """The API's own words, of either error shape: {"fault": ...} of the gateway, {"errors": [...]} of the service."""
    try:
        body = answer.json()
        text = body["fault"]["faultstring"] if "fault" in body else body["errors"][0]["detail"]
        return " ".join(str(text).split())
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def _digest(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


@contextmanager
def _hidden_in_logs(key: str) -> Iterator[None]:
    """Keep the key out of urllib3's log, which quotes each address at level DEBUG."""

    def hide(record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().replace(key, "***"), ()
        return True

    logger = logging.getLogger("urllib3.connectionpool")
    logger.addFilter(hide)
    try:
        yield
    finally:
        logger.removeFilter(hide)
