"""Ticketmaster Discovery v2 as its documentation describes it, over recorded events.

Events of all recorded listings make one list. `page`, `size` and `keyword` are honoured; other filters are accepted and
leave the list as it is, so that every recorded event is served.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from local.replay.payloads import Payload

API = "ticketmaster"
EVENTS = "/discovery/v2/events"
DEFAULT_SIZE = 20
LARGEST_SIZE = 200
DEEPEST = 1000  # page x size must stay below it
DAILY_QUOTA = 5000
FAULT_WAIT = 1.0  # seconds until the reset that a 429 announces

INVALID_KEY = {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}
QUOTA = {
    "fault": {
        "faultstring": "Rate limit quota violation. Quota limit  exceeded. Identifier : {apikey}",
        "detail": {"errorcode": "policies.ratelimit.QuotaViolation"},
    }
}


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Ticketmaster:
    """The API over recorded payloads.

    :param payloads: all payloads of the manifest; those of other APIs are left alone
    :param key: the only API key that is accepted
    """

    def __init__(self, payloads: list[Payload], key: str) -> None:
        own = [payload for payload in payloads if payload.api == API]
        self.key = key
        self.events = [event for payload in own for event in _listed(payload)]
        details = [payload.body for payload in own if payload.path == f"{EVENTS}/{{id}}" and payload.status == 200]
        self.by_id = {event["id"]: event for event in [*self.events, *details]}
        # The recorded body of each error; without a recording, a body of the documented shape.
        self.recorded = {payload.status: payload.body for payload in reversed(own) if payload.status >= 400}
        self._used = 0
        self._lock = threading.Lock()

    def answer(self, path: str, query: Mapping[str, str], fault: int | None = None) -> Answer:
        """Answer a GET.

        :param fault: status to answer with instead
        """
        reply = Answer(fault, self._error_body(fault)) if fault else self._answer(path.removesuffix(".json"), query)
        reply.headers = self._rate_limit(over=reply.status == 429) | reply.headers
        return reply

    def _answer(self, path: str, query: Mapping[str, str]) -> Answer:
        if not hmac.compare_digest(query.get("apikey", "").encode(), self.key.encode()):
            return Answer(401, INVALID_KEY)
        if path == EVENTS:
            return self._listing(query)
        identifier = path.removeprefix(f"{EVENTS}/")
        if path.startswith(f"{EVENTS}/") and identifier in self.by_id:
            return Answer(200, self.by_id[identifier])
        return Answer(404, _errors("DIS1004", f"Resource not found with provided criteria (id={identifier})", 404))

    def _listing(self, query: Mapping[str, str]) -> Answer:
        try:
            number, size = int(query.get("page", 0)), min(int(query.get("size", DEFAULT_SIZE)), LARGEST_SIZE)
        except ValueError:
            return Answer(400, _errors("DIS1025", "Query param page or size must be a number", 400))
        if number < 0 or size < 1:
            return Answer(400, _errors("DIS1025", "Query param page or size is out of range", 400))
        if number * size >= DEEPEST:
            detail = "Max paging depth exceeded. (page * size) must be less than 1,000"
            return Answer(400, _errors("DIS1035", detail, 400))
        keyword = query.get("keyword", "").casefold()
        found = [event for event in self.events if keyword in event["name"].casefold()]
        page = {"size": size, "totalElements": len(found), "totalPages": -(-len(found) // size), "number": number}
        body: dict[str, Any] = {"_links": _links(query, page), "page": page}
        if events := found[number * size : (number + 1) * size]:
            body = {"_embedded": {"events": events}, **body}
        return Answer(200, body)

    def _error_body(self, status: int) -> Any:
        if status in self.recorded:
            return self.recorded[status]
        return QUOTA if status == 429 else _errors("DIS1000", f"Answer {status} was ordered", status)

    def _rate_limit(self, *, over: bool) -> dict[str, str]:
        """The documented headers; the reset is in milliseconds of the epoch, after a 429 within a second or so."""
        with self._lock:
            self._used += 1
            left = max(DAILY_QUOTA - self._used, 0)
        now = time.time()
        reset = now + FAULT_WAIT if over else (now // 86400 + 1) * 86400
        return {
            "Rate-Limit": str(DAILY_QUOTA),
            "Rate-Limit-Available": "0" if over else str(left),
            "Rate-Limit-Over": "1" if over else "0",
            "Rate-Limit-Reset": str(int(reset * 1000)),
        }


def _listed(payload: Payload) -> list[dict[str, Any]]:
    if payload.path != EVENTS or payload.status != 200:
        return []
    return payload.body.get("_embedded", {}).get("events", [])


def _links(query: Mapping[str, str], page: Mapping[str, int]) -> dict[str, dict[str, str]]:
    last = max(page["totalPages"] - 1, 0)
    numbers = {"first": 0, "self": page["number"], "last": last}
    if page["number"] > 0:
        numbers["prev"] = min(page["number"] - 1, last)
    if page["number"] < last:
        numbers["next"] = page["number"] + 1
    kept = {name: value for name, value in query.items() if name not in ("apikey", "page", "size")}
    return {
        name: {"href": f"{EVENTS}.json?{urlencode({**kept, 'page': number, 'size': page['size']})}"}
        for name, number in numbers.items()
    }


def _errors(code: str, detail: str, status: int) -> dict[str, Any]:
    about = {"about": {"href": f"/discovery/v2/errors.html#{code}"}}
    return {"errors": [{"code": code, "detail": detail, "status": str(status), "_links": about}]}
