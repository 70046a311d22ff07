"""Ingest of many pages of real size: what the client adds to a bare reader, and how it stands to the API's quota.

    .venv/bin/python tests/performance/ingest.py [PAGES]

A page is the largest one of samples/api_payloads, served by a process of its own on 127.0.0.1. The bare reader fetches
the same pages with one requests session, parses them and writes them to files. Both read one page after another.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import requests  # noqa: E402

from concert_platform.sources import client as client_module  # noqa: E402
from concert_platform.sources.client import Api, SourceClient  # noqa: E402
from concert_platform.sources.keys import ApiKey  # noqa: E402
from concert_platform.sources.ticketmaster import API, DEEPEST, EventListing  # noqa: E402
from tests.unit.sources.memory import Unlimited  # noqa: E402

PAGES = 10_000
PAGES_OF_LISTING = DEEPEST // 20  # of 20 events: a listing that needs no spans


def page() -> bytes:
    folder = ROOT / "samples" / "api_payloads" / "ticketmaster"
    return max((path.read_bytes() for path in folder.glob("events_*.json")), key=len)


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the page, numbered as it asks."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the last segment of a page would wait 40 ms for the answer to those before it
    document = json.loads(page())

    def do_GET(self) -> None:
        events = self.document["_embedded"]["events"]
        total = len(events) * PAGES_OF_LISTING
        body = json.dumps(
            {**self.document, "page": {"size": 20, "totalElements": total, "totalPages": PAGES_OF_LISTING, "number": 0}}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def serve(ready: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.put(server.server_port)
    server.serve_forever()


@contextmanager
def served() -> Iterator[str]:
    ready: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=serve, args=(ready,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ready.get(timeout=30)}"
    process.terminate()


def timed(read: Callable[[Path], int]) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        pages = read(Path(folder))
        return time.perf_counter() - started, pages


def bare(url: str, pages: int, folder: Path) -> int:
    session = requests.Session()
    for number in range(pages):
        answer = session.get(f"{url}/discovery/v2/events.json", params={"page": number, "apikey": "key"}, timeout=30)
        answer.json()
        hashlib.sha256(answer.content).hexdigest()
        (folder / f"{number}.json").write_bytes(answer.content)
    return pages


def connector(url: str, pages: int, folder: Path) -> int:
    client_module.settings = lambda: None  # only messages of refused keys ask for them
    read = 0
    credentials = ApiKey("key", parameter="apikey")
    client = SourceClient(Api("ticketmaster", "Ticketmaster"), url, credentials, budget=Unlimited())
    while read < pages:
        read += len(EventListing(client, folder).pages(starting="2026-03-04"))
    return read


def main() -> None:
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else PAGES
    with served() as url:
        seconds, _ = timed(lambda folder: bare(url, pages, folder))
        ours, read = timed(lambda folder: connector(url, pages, folder))
    rate, quota = read / ours, 1 / API.interval
    print(
        f"ingest of {read:,} pages of {len(page()) / 1024:.0f} KB: {ours:.1f} s, bare reader {seconds:.1f} s, ratio "
        f"{ours / read / (seconds / pages):.2f}; {rate:.0f} pages/s where the quota allows {quota:.0f}"
    )


if __name__ == "__main__":
    main()
