"""setlist.fm API 1.0 as its documentation describes it, over recorded setlists, artists and venues.

The setlists of all recordings make one list, newest first; artists and venues are those of every recording. A listing
or search without a result is a 404.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.replay.answers import Answer, Request
from local.replay.pacing import Bucket
from local.replay.payloads import Payload, array, details, errors_by_status, objects, part, recorded_at, text

log = logging.getLogger(__name__)

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
        self._page_artists: dict[str, str] = {}
        self.setlists = sorted(self._recorded_setlists(), key=_event_day, reverse=True)
        served = [record for payload in self._own if payload.status == 200 for record in objects(payload.body)]
        named = [(text(record, "mbid"), record) for record in served]
        self.artists = _first([*named, *details(self._own, f"{ROOT}/artist", "mbid").items()])
        named = [(text(record, "id"), record) for record in served if {"id", "name", "city"} <= record.keys()]
        self.venues = _first([*named, *details(self._own, f"{ROOT}/venue").items()])

    def _recorded_setlists(self) -> list[Any]:
        """All setlists, each once; one that names no artist is of the artist whose page holds it."""
        found: dict[str, Any] = {}
        for payload in self._own:
            if payload.status != 200:
                continue
            for record in objects(payload.body):
                if {"id", "eventDate", "artist"} <= record.keys():
                    found[_key(record)] = record
            artist = _page_artist(payload)
            for record in array(payload.body, "setlist"):
                found[_key(record)] = record
                if not text(record, "artist", "mbid"):
                    self._page_artists[_key(record)] = artist
                    if not artist:
                        log.warning("%s holds a setlist without an artist's mbid: only a search finds it", payload.file)
        return list(found.values())

    def artist_of(self, setlist: Any) -> str:
        """MusicBrainz id of who played a setlist; empty when nothing tells."""
        return text(setlist, "artist", "mbid") or self._page_artists.get(_key(setlist), "")

    def performers(self) -> dict[str, Any]:
        """Artists of setlists, and those recorded on their own, by id; not those whose songs were covered."""
        covered = {text(song, "mbid") for entry in self.setlists for song in objects(part(entry, "sets"))}
        playing = {self.artist_of(entry) for entry in self.setlists}
        return {mbid: artist for mbid, artist in self.artists.items() if mbid in playing or mbid not in covered}

    def lonely_venues(self) -> dict[str, Any]:
        """Venues that no setlist names, by id."""
        named = {text(entry, "venue", "id") for entry in self.setlists}
        return {key: venue for key, venue in self.venues.items() if key not in named}

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
                return self._page("setlists", [s for s in self.setlists if self.artist_of(s) == mbid], request)
            case ["venue", identifier] if identifier in self.venues:
                return Answer(200, self.venues[identifier])
            case ["venue", identifier, "setlists"]:
                found = [s for s in self.setlists if text(s, "venue", "id") == identifier]
                return self._page("setlists", found, request)
            case ["setlist", identifier]:
                found = [s for s in self.setlists if text(s, "id") == identifier]
                return Answer(200, found[0]) if found else self.fault(404, request.path)
            case ["search", "setlists"]:
                found = [s for s in self.setlists if _matches(s, self.artist_of(s), request.query)]
                return self._page("setlists", found, request)
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


def _first(records: list[tuple[str, Any]]) -> dict[str, Any]:
    """The first record of each id."""
    return {key: record for key, record in reversed(records) if key}


def _page_artist(payload: Payload) -> str:
    """MusicBrainz id of the artist whose setlists a page holds: that of its path, else of the first that names one."""
    match payload.path.removeprefix(f"{ROOT}/").split("/"):
        case ["artist", mbid, "setlists"] if not mbid.startswith("{"):
            return mbid
    named = (text(record, "artist", "mbid") for record in array(payload.body, "setlist"))
    return next(filter(None, named), "")


def _key(setlist: Any) -> str:
    """The same for recordings of one setlist; without an id, for equal ones."""
    return text(setlist, "id") or json.dumps(setlist, sort_keys=True)


def _event_day(setlist: Any) -> tuple[str, ...]:
    """What orders setlists by day; one without a day is the oldest."""
    return tuple(reversed(text(setlist, "eventDate").split("-")))


def _matches(setlist: Any, artist: str, query: Mapping[str, str]) -> bool:
    """Whether a setlist is what a search asks for; filters besides artist, venue, date and update are accepted.

    :param artist: MusicBrainz id of who played it
    """
    for name, value in (("artistMbid", artist), ("venueId", text(setlist, "venue", "id"))):
        if name in query and query[name] != value:
            return False
    for name, kind in (("artistName", "artist"), ("venueName", "venue")):
        if name in query and query[name].casefold() not in text(setlist, kind, "name").casefold():
            return False
    if "date" in query and query["date"] != text(setlist, "eventDate"):
        return False
    if "lastUpdated" in query:
        since = datetime.strptime(query["lastUpdated"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        updated = _moment(text(setlist, "lastUpdated"))
        return updated is not None and updated >= since
    return True


def _moment(moment: str) -> datetime | None:
    """A moment with its offset; None for what is none."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _named(
    records: Mapping[str, dict[str, Any]], query: Mapping[str, str], prefix: str, identifier: str
) -> list[dict[str, Any]]:
    wanted = query.get(f"{prefix}Name" if prefix else "name", "").casefold()
    if identifier in query:
        return [records[query[identifier]]] if query[identifier] in records else []
    return [record for record in records.values() if wanted in text(record, "name").casefold()]
