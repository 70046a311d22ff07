"""The HTTP server of the replayed APIs: one thread a request, 127.0.0.1 only."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.replay.answers import Answer, Api, Request
from local.replay.faults import CUT, Faults
from local.replay.payloads import load_payloads
from local.replay.setlistfm import Setlistfm
from local.replay.spotify import Spotify
from local.replay.ticketmaster import Ticketmaster

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
HEALTH = "/_replay/health"
LARGEST_FORM = 64 * 1024


class ReplayServer(ThreadingHTTPServer):
    """Server over a samples folder; ``server_port`` is the port, also when 0 was asked for.

    :param key: of Ticketmaster and setlist.fm
    :param client: id and secret of Spotify; default the key as both
    :param paced: whether more requests a second than an API allows are answered 429
    :raises PayloadError: when the samples cannot be read
    :raises OSError: when the port is taken
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        *,
        port: int,
        samples: Path,
        state_dir: Path,
        key: str,
        client: tuple[str, str] | None = None,
        paced: bool = False,
    ) -> None:
        payloads = load_payloads(samples)
        self.ticketmaster = Ticketmaster(payloads, key, paced=paced)
        self.spotify = Spotify(payloads, client or (key, key))
        self.setlistfm = Setlistfm(payloads, key, paced=paced)
        self.apis: tuple[Api, ...] = (self.ticketmaster, self.spotify, self.setlistfm)
        self.faults = Faults(state_dir)
        super().__init__((HOST, port), _Handler)

    def answer(self, request: Request) -> Answer:
        if request.path == HEALTH:
            counts: dict[str, Any] = {"status": "ok"}
            for api in self.apis:
                counts |= api.summary()
            return Answer(200, counts)
        owners = [known for known in self.apis if request.path.startswith(known.prefixes)]
        if not owners:
            return Answer(404, {"error": f"{request.path} is no path of a replayed API"})
        api = owners[0]
        try:
            fault = self.faults.take(api.name)
        except (OSError, ValueError, AttributeError, TypeError) as error:
            return Answer(500, {"error": f"{self.faults.path} cannot be used: {error}"})
        if isinstance(fault, int):
            return api.fault(fault)
        try:
            answer = api.answer(request)
        except Exception as error:  # noqa: BLE001  of a record that nobody thought of; the connection is not to hang on it
            reason = " ".join(str(error).split())
            log.error("%s %s is answered with 500: %s: %s", request.method, request.path, type(error).__name__, reason)
            return api.fault(500)
        answer.cut = fault == CUT
        return answer


class _Handler(BaseHTTPRequestHandler):
    server: ReplayServer
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; without this each answer waits 40 ms for the client's delayed ACK.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.session: dict[str, Any] = {}

    def do_GET(self) -> None:
        self._send(self.server.answer(self._request({})))

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), LARGEST_FORM)
        form = dict(parse_qsl(self.rfile.read(length).decode("utf-8", "replace")))
        self._send(self.server.answer(self._request(form)))

    def _request(self, form: Mapping[str, str]) -> Request:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, unquote(address.path), dict(parse_qsl(address.query)), headers, form, self.session)

    def _send(self, answer: Answer) -> None:
        body = answer.content()
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json;charset=utf-8", "Content-Length": str(len(body))}
        for name, value in {**headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """One line a request, without its query: that holds the key."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stderr.write(f"{moment} {self.command} {urlsplit(self.path).path} {int(code)}\n")

    def log_message(self, format: str, *args: Any) -> None:
        """What http.server logs besides requests may quote the request line, hence nothing."""
