"""The HTTP server of the replayed APIs: one thread a request, 127.0.0.1 only."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from local.replay.faults import Faults
from local.replay.payloads import load_payloads
from local.replay.ticketmaster import API, Answer, Ticketmaster

HOST = "127.0.0.1"
HEALTH = "/_replay/health"
DISCOVERY = "/discovery/v2/"


class ReplayServer(ThreadingHTTPServer):
    """Server over a samples folder; ``server_port`` is the port, also when 0 was asked for.

    :raises PayloadError: when the samples cannot be read
    :raises OSError: when the port is taken
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *, port: int, samples: Path, state_dir: Path, key: str) -> None:
        self.ticketmaster = Ticketmaster(load_payloads(samples), key)
        self.faults = Faults(state_dir)
        super().__init__((HOST, port), _Handler)

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == HEALTH:
            return Answer(200, {"status": "ok", "ticketmaster_events": len(self.ticketmaster.events)})
        if not path.startswith(DISCOVERY):
            return Answer(404, {"error": f"{path} is no path of a replayed API"})
        try:
            fault = self.faults.take(API)
        except (OSError, ValueError, AttributeError) as error:
            return Answer(500, {"error": f"{self.faults.path} cannot be used: {error}"})
        return self.ticketmaster.answer(path, query, fault)


class _Handler(BaseHTTPRequestHandler):
    server: ReplayServer
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; without this each answer waits 40 ms for the client's delayed ACK.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self._send(self.server.answer(address.path, dict(parse_qsl(address.query))))

    def _send(self, answer: Answer) -> None:
        body = json.dumps(answer.body, ensure_ascii=False).encode()
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
