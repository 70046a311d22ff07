"""HTTP client of the source APIs: paced, budgeted, patient with what passes by itself and with nothing else.

Worth retrying: no connection, 408, 429, 5xx, an answer that breaks off or is no JSON of the expected shape. Waits are
what the API announces (Retry-After, Rate-Limit-Reset), else doubled each time, with jitter. A wait that is announced to
be long ends the task instead of holding its slot.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

from concert_platform.settings import settings
from concert_platform.sources.budget import Budget, DailyBudget
from concert_platform.sources.errors import QuotaSpentError, RefusedRequestError, SourceKeyError, UnavailableError
from concert_platform.sources.keys import Credentials

TIMEOUT = (5, 30)  # seconds to connect, to read
ATTEMPTS = 6  # per request
LONGEST_WAIT = 60.0  # seconds
PASSING = (408, 429)  # besides 5xx
KEPT_HEADERS = ("date", "content-type", "etag", "last-modified", "retry-after")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Api:
    """What the client must know of an API.

    :param name: of the source, as its secret, budget and settings call it
    :param title: for messages
    :param interval: seconds from one request to the next that the API asks for
    """

    name: str
    title: str
    interval: float = 0.0


@dataclass(frozen=True)
class Request:
    """One request.

    :param what: what is read, for messages
    :param model: class of responses.py that the body must fit
    :param accept: status codes besides 200 that are an answer, such as 304 and 404
    :param form: body of a POST
    """

    path: str
    what: str
    model: Any
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    accept: tuple[int, ...] = ()
    form: Mapping[str, str] | None = None

    @property
    def method(self) -> str:
        return "GET" if self.form is None else "POST"


@dataclass(frozen=True)
class Answer:
    """One answer: its bytes, what a manifest keeps of it, and the body as the model read it (None unless 200)."""

    url: str
    status: int
    headers: dict[str, str]
    content: bytes
    body: Any = None


class SourceClient:
    """Reader of one API.

    :param base_url: address of the API, without path
    :param budget: default the source's budget of the day
    :param sleep: how to wait
    """

    def __init__(
        self,
        api: Api,
        base_url: str,
        credentials: Credentials,
        *,
        budget: Budget | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import requests

        self.api, self.base_url = api, base_url.rstrip("/")
        self._credentials = credentials
        self._budget = budget or DailyBudget(api.name)
        self._sleep = sleep
        self._session = requests.Session()
        self._next = 0.0  # of time.monotonic()

    def get(
        self, path: str, query: Mapping[str, str] | None = None, *, what: str, model: Any, **options: Any
    ) -> Answer:
        """Read one document.

        :param options: further fields of Request
        :raises RefusedError: at once, when trying again will not help
        :raises UnavailableError: after all attempts
        """
        return self._with_retries(Request(path, what, model, query or {}, **options))

    def post(self, path: str, form: Mapping[str, str], *, what: str, model: Any) -> Answer:
        """Send a form and read the answer; otherwise as `get`."""
        return self._with_retries(Request(path, what, model, form=form))

    def _with_retries(self, request: Request) -> Answer:
        from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_attempt

        retrying = Retrying(
            retry=retry_if_exception_type(UnavailableError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            sleep=self._sleep,
            before_sleep=before_sleep_log(log, logging.INFO),
            reraise=True,
        )
        return retrying(self._attempt, request)

    def _attempt(self, request: Request) -> Answer:
        subject = f"{self.api.title} {request.what}"
        self._keep_pace(subject)
        self._budget.spend()
        answer = self._send(request, subject)
        self._heed_limits(answer.status_code, answer.headers)
        if answer.status_code != 200 and answer.status_code not in request.accept:
            self._refuse(answer, subject)
        url = f"{self.base_url}{request.path}" + (f"?{urlencode(request.query)}" if request.query else "")
        kept = {name: value for name, value in answer.headers.items() if is_kept(name)}
        body = _fitted(answer.content, request.model, subject) if answer.status_code == 200 else None
        return Answer(url, answer.status_code, kept, answer.content, body)

    def _keep_pace(self, subject: str) -> None:
        wait = self._next - time.monotonic()
        if wait > LONGEST_WAIT:
            raise QuotaSpentError(f"{subject} not asked for: {_long_wait(wait)}")
        if wait > 0:
            self._sleep(wait)
        self._next = time.monotonic() + self.api.interval

    def _heed_limits(self, status: int, headers: Mapping[str, str]) -> None:
        """Hold the next request back when the API says that this was the last one of its span."""
        if status == 200 and headers.get("Rate-Limit-Available") == "0":
            wait = announced_wait(headers)
            self._next = max(self._next, time.monotonic() + (wait or 0.0))

    def _send(self, request: Request, subject: str) -> Any:
        import requests

        url = f"{self.base_url}{request.path}"
        headers = {"Accept": "application/json", **request.headers, **self._credentials.headers()}
        query = {**request.query, **self._credentials.query()}
        try:
            with _hidden_in_logs(self._credentials.secrets()):
                return self._session.request(
                    request.method, url, params=query, headers=headers, data=request.form, timeout=TIMEOUT,
                    allow_redirects=False,
                )  # fmt: skip
        except requests.RequestException as error:
            # Its text quotes the address with the key, and a traceback in a log may show the variables of this frame:
            # hence nothing is raised in here.
            failure = type(error).__name__
        raise UnavailableError(f"{subject} not read ({failure}): is {url} reachable?")

    def _refuse(self, answer: Any, subject: str) -> None:
        """Raise what the answer means.

        :raises UnavailableError: when it passes by itself
        :raises RefusedError: when it does not
        """
        status = answer.status_code
        reason = _hide(_reason(answer.content), self._credentials.secrets())
        told = f"{subject}: {status} {reason}".rstrip()
        if status in (401, 403) or b'"invalid_client"' in answer.content:
            if status == 401 and self._credentials.renew():
                raise UnavailableError(f"{told}: asked again with a new token", 0.0)
            secret = settings().source_secret(self.api.name)
            raise SourceKeyError(f"{told}: put a valid key into secret {secret}")
        if status in PASSING or status >= 500:
            wait = announced_wait(answer.headers)
            if wait is not None and wait > LONGEST_WAIT:
                raise QuotaSpentError(f"{told}: {_long_wait(wait)}")
            why = "too many requests, or too slow;" if status in PASSING else "the API is out of order,"
            raise UnavailableError(f"{told}: {why} try again later", wait)
        raise RefusedRequestError(f"{told}: the API has changed, look at its release notes")


def is_kept(header: str) -> bool:
    """Whether a manifest keeps a header of an answer."""
    return header.lower() in KEPT_HEADERS or header.lower().startswith("rate-limit")


def announced_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds until Retry-After (seconds, or a date) or Rate-Limit-Reset (milliseconds of the epoch), if given.

    The reset is that of the day's quota: while some of that is left, it says nothing about a burst.
    """
    after = headers.get("Retry-After")
    reset = headers.get("Rate-Limit-Reset") if headers.get("Rate-Limit-Available", "0") == "0" else None
    try:
        if after is None and reset is None:
            return None
        if after is None:
            return max(float(reset or 0) / 1000 - time.time(), 0.0)
        if after.strip().replace(".", "", 1).isdigit():
            return float(after)
        return max((parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _wait(state: Any) -> float:
    """Seconds to wait: what the API announced, else about twice as long each time; never longer than LONGEST_WAIT."""
    announced = state.outcome.exception().wait
    step = 0.5 * 2.0**state.attempt_number
    # Those who were turned away together do not come back together.
    wait = announced + random.uniform(0, 0.25) if announced is not None else random.uniform(step / 2, step)  # noqa: S311
    return min(max(wait, 0.05), LONGEST_WAIT)


def _long_wait(wait: float) -> str:
    until = datetime.now(UTC) + timedelta(seconds=wait)
    return f"the API answers again at {until:%Y-%m-%dT%H:%M:%SZ}; run the task again after that"


def _fitted(content: bytes, model: Any, subject: str) -> Any:
    """The body as the model reads it.

    :raises UnavailableError: when it is cut off, no JSON, or of another shape
    """
    import json

    from pydantic import ValidationError

    try:
        # Not pydantic's own reader, which refuses the whole body for half a surrogate pair in one name.
        return model.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = f"{f' ({place})' if place else ''}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        reason = f": Invalid JSON: {error}"
    raise UnavailableError(f"{subject} is no {model.__name__}{reason}")


def _reason(content: bytes) -> str:
    """The API's own words, in any of its shapes: {"fault"}, {"errors"}, {"error": {"message"}}, {"message"}."""
    import json

    try:
        body = json.loads(content)
        if "fault" in body:
            text = body["fault"]["faultstring"]
        elif "errors" in body:
            text = body["errors"][0]["detail"]
        elif isinstance(body.get("error"), dict):
            text = body["error"]["message"]
        else:
            text = body.get("error_description") or body.get("message") or ""
        return " ".join(str(text).split())
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return ""


def _hide(text: str, secrets: tuple[str, ...]) -> str:
    """Put stars for secrets, also where they stand in an address or a form."""
    for secret in secrets:
        for shown in (secret, quote(secret, safe=""), quote_plus(secret)):
            text = text.replace(shown, "***")
    return text


@contextmanager
def _hidden_in_logs(secrets: tuple[str, ...]) -> Iterator[None]:
    """Keep keys out of urllib3's log, which quotes each address at level DEBUG."""

    def hide(record: logging.LogRecord) -> bool:
        record.msg, record.args = _hide(record.getMessage(), secrets), ()
        return True

    logger = logging.getLogger("urllib3.connectionpool")
    logger.addFilter(hide)
    try:
        yield
    finally:
        logger.removeFilter(hide)
