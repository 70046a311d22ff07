"""Spotify Web API as its documentation describes it, over recorded artists.

Every artist of every recording is found by id and by name. Paths that nothing here knows are answered with a recording
of that path, if there is one. A token comes from /api/token; ETag and If-None-Match are honoured.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from typing import Any
from urllib.parse import urlencode

from local.replay.answers import Answer, Request
from local.replay.payloads import Payload, details, errors_by_status, objects, recorded_at, text

TOKEN_SECONDS = 3600
DEFAULT_LIMIT, LARGEST_LIMIT = 20, 50
DEEPEST = 1000  # offset + limit
RETRY_AFTER = 1


class Spotify:
    """The API over recorded payloads.

    :param client: id and secret of the only app that gets a token
    """

    name = "spotify"
    prefixes: tuple[str, ...] = ("/v1/", "/api/token")

    def __init__(self, payloads: list[Payload], client: tuple[str, str]) -> None:
        self._own = [payload for payload in payloads if payload.api == self.name]
        self._basic = "Basic " + base64.b64encode(":".join(client).encode()).decode()
        self._recorded = errors_by_status(self._own)
        self._tokens: dict[str, float] = {}
        self._lock = threading.Lock()
        self.artists: dict[str, Any] = details(self._own, "/v1/artists")
        for payload in self._own:
            for document in objects(payload.body):
                identifier = text(document, "id") if document.get("type") == "artist" else ""
                known = self.artists.get(identifier)
                # An artist inside a track has no more than a name; the fullest record is the artist's.
                if identifier and len(document) > (len(known) if isinstance(known, dict) else 0):
                    self.artists[identifier] = document

    def answer(self, request: Request) -> Answer:
        if request.path == "/api/token":
            return self._token(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) < time.monotonic():
            return self._error(401, "The access token expired" if token in self._tokens else "Invalid access token")
        answer = self._read(request)
        if answer.status == 200:
            etag = f'"{hashlib.md5(json.dumps(answer.body).encode(), usedforsecurity=False).hexdigest()}"'
            answer.headers = {"ETag": etag, "Cache-Control": "public, max-age=0"}
            if request.headers.get("if-none-match") == etag:
                answer.status = 304
        return answer

    def fault(self, status: int) -> Answer:
        answer = self._error(status, f"Answer {status} was ordered")
        if status == 429:
            answer.headers["Retry-After"] = str(RETRY_AFTER)  # its only word about the wait
        return answer

    def summary(self) -> dict[str, int]:
        return {"spotify_artists": len(self.artists)}

    def _token(self, request: Request) -> Answer:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), self._basic.encode()):
            return Answer(400, {"error": "invalid_client", "error_description": "Invalid client"})
        if request.method != "POST" or request.form.get("grant_type") != "client_credentials":
            description = "grant_type parameter is missing"
            return Answer(400, {"error": "unsupported_grant_type", "error_description": description})
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = time.monotonic() + TOKEN_SECONDS
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _read(self, request: Request) -> Answer:
        head, _, identifier = request.path.rpartition("/")
        if head == "/v1/artists":
            if identifier in self.artists:
                return Answer(200, self.artists[identifier])
            is_id = len(identifier) == 22 and identifier.isalnum()
            return self._error(404, "Resource not found") if is_id else self._error(400, "Invalid base62 id")
        if request.path == "/v1/artists":
            wanted = request.query.get("ids", "").split(",")
            return Answer(200, {"artists": [self.artists.get(identifier) for identifier in wanted]})
        if request.path == "/v1/search" and "artist" in request.query.get("type", ""):
            return self._search(request)
        recorded = recorded_at(self._own, request.path)
        return Answer(200, recorded.body) if recorded else self._error(404, "Service not found")

    def _search(self, request: Request) -> Answer:
        wanted = request.query.get("q", "")
        if not wanted:
            return self._error(400, "No search query")
        try:
            limit, offset = int(request.query.get("limit", DEFAULT_LIMIT)), int(request.query.get("offset", 0))
        except ValueError:
            return self._error(400, "Invalid limit")
        if not 1 <= limit <= LARGEST_LIMIT or offset < 0 or offset + limit > DEEPEST:
            return self._error(400, "Invalid limit")
        found = [artist for artist in self.artists.values() if wanted.casefold() in text(artist, "name").casefold()]
        found.sort(key=lambda artist: text(artist, "name").casefold() != wanted.casefold())  # an exact name comes first

        def href(start: int) -> str:
            query = urlencode({"query": wanted, "type": "artist", "offset": start, "limit": limit})
            return f"https://api.spotify.com/v1/search?{query}"

        page = {
            "href": href(offset),
            "items": found[offset : offset + limit],
            "limit": limit,
            "next": href(offset + limit) if offset + limit < len(found) else None,
            "offset": offset,
            "previous": href(max(offset - limit, 0)) if offset else None,
            "total": len(found),
        }
        return Answer(200, {"artists": page})

    def _error(self, status: int, message: str) -> Answer:
        return Answer(status, self._recorded.get(status) or {"error": {"status": status, "message": message}})
