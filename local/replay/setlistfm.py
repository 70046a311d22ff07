"""setlist.fm API 1.0 as its documentation describes it, over recorded setlists, artists and venues.

The setlists of all recordings make one list, newest first; artists and venues are those of every recording. A listing
or search without a result is a 404.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.replay.answers import Answer, Request
from local.replay.pacing import Bucket
from local.replay.payloads import Payload, errors_by_status, objects, recorded_at

ROOT = "/rest/1.0"
REQUESTS_PER_SECOND = 2.0
PER_PAGE = {"setlists": 20, "artists": 30, "venues": 30}
REASONS = {403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class Setlistfm:
    """The API over recorded payloads.

    :param key: the only API key that is accepted
    """

    name = "setlistfm"
    prefixes: tuple[str, ...] = (f"{ROOT}/",)

    def __init__(self, payloads: list[Payload], key: str, *, paced: bool = False) -> None:
        self._own = [payload for payload in payloads if payload.api == self.name]
        self._key = key
        self._bucket = Bucket(REQUESTS_PER_SECOND if paced else None)
        self._recorded = errors_by_status(self._own)
        served = [record for payload in self._own if payload.status == 200 for record in objects(payload.body)]
        lists = {record["id"]: record for record in served if {"id", "eventDate", "artist"} <= record.keys()}
        self.setlists = sorted(lists.values(), key=_event_day, reverse=True)
        self.artists = {record["mbid"]: record for record in reversed(served) if "mbid" in record}
        self.venues = {record["id"]: record for record in reversed(served) if {"id", "name", "city"} <= record.keys()}

    def performers(self) -> list[dict[str, Any]]:
        """Artists of setlists, and those recorded on their own; not those whose songs were covered."""
        covered = {
            record["mbid"]
            for entry in self.setlists
            for record in objects(entry.get("sets"))
            if "mbid" in record
        }  # fmt: skip
        playing = {entry["artist"]["mbid"] for entry in self.setlists}
        return [artist for mbid, artist in self.artists.items() if mbid in playing or mbid not in covered]

    def answer(self, request: Request) -> Answer:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), self._key.encode()):
            return Answer(403, {"message": "Forbidden"})
        if not self._bucket.take():
            return self.fault(429)
        parts = request.path.removeprefix(f"{ROOT}/").split("/")
        match parts:
            case ["artist", mbid] if mbid in self.artists:
                return Answer(200, self.artists[mbid])
            case ["artist", mbid, "setlists"]:
                return self._page("setlists", [s for s in self.setlists if s["artist"]["mbid"] == mbid], request)
            case ["venue", identifier] if identifier in self.venues:
                return Answer(200, self.venues[identifier])
            case ["venue", identifier, "setlists"]:
                found = [s for s in self.setlists if s["venue"].get("id") == identifier]
                return self._page("setlists", found, request)
            case ["setlist", identifier]:
                found = [s for s in self.setlists if s["id"] == identifier]
                return Answer(200, found[0]) if found else self.fault(404, request.path)
            case ["search", "setlists"]:
                return self._page("setlists", [s for s in self.setlists if _matches(s, request.query)], request)
            case ["search", "artists"]:
                return self._page("artists", _named(self.artists, request.query, "artist", "artistMbid"), request)
            case ["search", "venues"]:
                return self._page("venues", _named(self.venues, request.query, "", ""), request)
        recorded = recorded_at([p for p in self._own if "{" not in p.path], request.path)
        return Answer(200, recorded.body) if recorded else self.fault(404, request.path)

    def fault(self, status: int, path: str = "") -> Answer:
        reason = REASONS.get(status, f"Answer {status} was ordered")
        moment = int(time.time() * 1000)
        body = {"timestamp": moment, "status": status, "error": reason, "message": reason}
        if path:
            body["path"] = path.removeprefix("/rest")
        return Answer(status, self._recorded.get(status) or body)

    def summary(self) -> dict[str, int]:
        return {"setlistfm_setlists": len(self.setlists)}

    def _page(self, kind: str, found: list[dict[str, Any]], request: Request) -> Answer:
        number, size = request.query.get("p", "1"), PER_PAGE[kind]
        if not number.isdigit() or int(number) < 1:
            return self.fault(404, request.path)
        records = found[(int(number) - 1) * size : int(number) * size]
        if not records:
            return self.fault(404, request.path)
        head = {"type": kind, "itemsPerPage": size, "page": int(number), "total": len(found)}
        return Answer(200, {**head, kind.removesuffix("s"): records})


def _event_day(setlist: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(reversed(setlist["eventDate"].split("-")))


def _matches(setlist: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether a setlist is what a search asks for; filters besides artist, venue, date and update are accepted."""
    venue = setlist["venue"]
    for name, value in (("artistMbid", setlist["artist"]["mbid"]), ("venueId", venue.get("id"))):
        if name in query and query[name] != value:
            return False
    for name, value in (("artistName", setlist["artist"]["name"]), ("venueName", venue.get("name", ""))):
        if name in query and query[name].casefold() not in value.casefold():
            return False
    if "date" in query and query["date"] != setlist["eventDate"]:
        return False
    if "lastUpdated" in query:
        since = datetime.strptime(query["lastUpdated"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        return datetime.fromisoformat(setlist["lastUpdated"]) >= since
    return True


def _named(
    records: Mapping[str, dict[str, Any]], query: Mapping[str, str], prefix: str, identifier: str
) -> list[dict[str, Any]]:
    wanted = query.get(f"{prefix}Name" if prefix else "name", "").casefold()
    if identifier in query:
        return [records[query[identifier]]] if query[identifier] in records else []
    return [record for record in records.values() if wanted in record["name"].casefold()]
