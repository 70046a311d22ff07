"""Ticketmaster Discovery v2 as its documentation describes it, over recorded events.

Records of all recorded listings make one list a kind (events, attractions, venues); an event's attractions and venues
are in their lists too. `page`, `size`, `keyword`, `id` and the order `sort=id,asc` are honoured, `startDateTime` and
`endDateTime` as spans.py says; other filters and orders are accepted and leave the list as it is, so that every
recorded event is served.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from local.replay.answers import Answer, Request
from local.replay.pacing import Bucket
from local.replay.payloads import Payload, array, details, errors_by_status, part, text
from local.replay.spans import Spans

log = logging.getLogger(__name__)

ROOT = "/discovery/v2"
EVENTS = f"{ROOT}/events"
KINDS = ("events", "attractions", "venues")
DEFAULT_SIZE = 20
LARGEST_SIZE = 200
DEEPEST = 1000  # page x size must stay below it
DAILY_QUOTA = 5000
REQUESTS_PER_SECOND = 5.0
FAULT_WAIT = 1.0  # seconds until the reset that a 429 announces

INVALID_KEY = {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}
QUOTA = {
    "fault": {
        "faultstring": "Rate limit quota violation. Quota limit  exceeded. Identifier : {apikey}",
        "detail": {"errorcode": "policies.ratelimit.QuotaViolation"},
    }
}


SPIKE = {
    "fault": {
        "faultstring": "Spike arrest violation. Allowed rate : 5ps",
        "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
    }
}


class Ticketmaster:
    """The API over recorded payloads.

    :param payloads: all payloads of the manifest; those of other APIs are left alone
    :param key: the only API key that is accepted
    """

    name = "ticketmaster"
    prefixes: tuple[str, ...] = (f"{ROOT}/",)

    def __init__(self, payloads: list[Payload], key: str, *, paced: bool = False) -> None:
        own = [payload for payload in payloads if payload.api == self.name]
        self.key = key
        listed = {kind: [record for payload in own for record in _listed(payload, kind)] for kind in KINDS}
        self.events = listed["events"]
        self._details = {kind: details(own, f"{ROOT}/{kind}") for kind in KINDS}
        self._parts = {kind: self._recorded_parts(listed[kind], kind) for kind in ("attractions", "venues")}
        self._without_id = {kind: [record for record in listed[kind] if not text(record, "id")] for kind in KINDS}
        self.recorded = errors_by_status(own)
        self._bucket = Bucket(REQUESTS_PER_SECOND if paced else None)
        self._used = 0
        self._lock = threading.Lock()

    def _recorded_parts(self, listed: list[Any], kind: str) -> dict[str, Any]:
        # A recorded attraction or venue comes before the shorter one inside an event.
        named = [(text(record, "id"), record) for record in [*listed, *self._inside_events(kind)]]
        return {key: record for key, record in reversed([*self._details[kind].items(), *named]) if key}

    def _inside_events(self, kind: str) -> list[Any]:
        return [record for event in self.events for record in array(event, "_embedded", kind)]

    def records(self, kind: str) -> list[Any]:
        """What a listing of the kind serves, whatever the records hold."""
        return self.events if kind == "events" else [*self._parts[kind].values(), *self._without_id[kind]]

    def watched(self, kind: str) -> dict[str, Any]:
        """What stands for the name, by id, of what no event names, so that only a watch list leads to it."""
        inside = {text(record, "id") for record in self._inside_events(kind)}
        return {key: part(record, "name") for key, record in self._parts[kind].items() if key not in inside}

    def answer(self, request: Request) -> Answer:
        if self._used >= DAILY_QUOTA:
            return Answer(429, QUOTA, self._rate_limit(_next_day()))
        reply = self._answer(request.path.removesuffix(".json"), request)
        reply.headers = self._rate_limit() | reply.headers
        return reply

    def fault(self, status: int) -> Answer:
        reset = time.time() + FAULT_WAIT if status == 429 else None
        return Answer(status, self._error_body(status), self._rate_limit(reset))

    def summary(self) -> dict[str, int]:
        return {"ticketmaster_events": len(self.events)}

    def _answer(self, path: str, request: Request) -> Answer:
        query = request.query
        if not hmac.compare_digest(query.get("apikey", "").encode(), self.key.encode()):
            return Answer(401, INVALID_KEY)
        if not self._bucket.take():
            return Answer(429, SPIKE)
        kind, _, identifier = path.removeprefix(f"{ROOT}/").partition("/")
        if kind in KINDS and not identifier:
            return self._listing(kind, query, request.session.setdefault("spans", Spans()))
        if kind in KINDS:
            known = {text(record, "id"): record for record in self.records(kind)} | self._details[kind]
            if identifier in known:
                return Answer(200, known[identifier])
        return Answer(404, _errors("DIS1004", f"Resource not found with provided criteria (id={identifier})", 404))

    def _listing(self, kind: str, query: Mapping[str, str], spans: Spans) -> Answer:
        try:
            number, size = int(query.get("page", 0)), min(int(query.get("size", DEFAULT_SIZE)), LARGEST_SIZE)
        except ValueError:
            return Answer(400, _errors("DIS1025", "Query param page or size must be a number", 400))
        if number < 0 or size < 1:
            return Answer(400, _errors("DIS1025", "Query param page or size is out of range", 400))
        if number * size >= DEEPEST:
            detail = "Max paging depth exceeded. (page * size) must be less than 1,000"
            return Answer(400, _errors("DIS1035", detail, 400))
        keyword, ids = query.get("keyword", "").casefold(), query.get("id")
        found = [record for record in self.records(kind) if keyword in text(record, "name").casefold()]
        if kind == "events":
            try:
                found = spans.within(found, query.get("startDateTime"), query.get("endDateTime"), number, size)
            except ValueError:
                detail = "Query param with date must be of valid format YYYY-MM-DDTHH:mm:ssZ"
                return Answer(400, _errors("DIS1015", detail, 400))
        if ids is not None:
            found = [record for record in found if text(record, "id") in ids.split(",")]
        if query.get("sort") == "id,asc":
            found = sorted(found, key=lambda record: (not text(record, "id"), text(record, "id")))
        page = {"size": size, "totalElements": len(found), "totalPages": -(-len(found) // size), "number": number}
        body: dict[str, Any] = {"_links": _links(kind, query, page), "page": page}
        if records := found[number * size : (number + 1) * size]:
            body = {"_embedded": {kind: records}, **body}
        return Answer(200, body)

    def _error_body(self, status: int) -> Any:
        if status in self.recorded:
            return self.recorded[status]
        return QUOTA if status == 429 else _errors("DIS1000", f"Answer {status} was ordered", status)

    def _rate_limit(self, over_until: float | None = None) -> dict[str, str]:
        """The documented headers; the reset is in milliseconds of the epoch.

        :param over_until: time at which a quota that is used up returns
        """
        with self._lock:
            self._used += 1
            left = max(DAILY_QUOTA - self._used, 0)
        return {
            "Rate-Limit": str(DAILY_QUOTA),
            "Rate-Limit-Available": "0" if over_until else str(left),
            "Rate-Limit-Over": "1" if over_until else "0",
            "Rate-Limit-Reset": str(int((over_until or _next_day()) * 1000)),
        }


def _next_day() -> float:
    return (time.time() // 86400 + 1) * 86400


def _listed(payload: Payload, kind: str) -> list[Any]:
    """Records of a page, or of the bare list of them; a page that has none may have null in any place."""
    if payload.path != f"{ROOT}/{kind}" or payload.status != 200:
        return []
    records = payload.body
    for name in ("_embedded", kind):
        records = records.get(name) if isinstance(records, dict) else records
    if records is None or isinstance(records, list):
        return records or []
    log.warning("%s is left out: its _embedded.%s is no list", payload.file, kind)
    return []


def _links(kind: str, query: Mapping[str, str], page: Mapping[str, int]) -> dict[str, dict[str, str]]:
    last = max(page["totalPages"] - 1, 0)
    numbers = {"first": 0, "self": page["number"], "last": last}
    if page["number"] > 0:
        numbers["prev"] = min(page["number"] - 1, last)
    if page["number"] < last:
        numbers["next"] = page["number"] + 1
    kept = {name: value for name, value in query.items() if name not in ("apikey", "page", "size")}
    return {
        name: {"href": f"{ROOT}/{kind}.json?{urlencode({**kept, 'page': number, 'size': page['size']})}"}
        for name, number in numbers.items()
    }


def _errors(code: str, detail: str, status: int) -> dict[str, Any]:
    about = {"about": {"href": f"/discovery/v2/errors.html#{code}"}}
    return {"errors": [{"code": code, "detail": detail, "status": str(status), "_links": about}]}
