"""Ingest of many pages of real size: what the client adds to a bare reader, and how it stands to the API's quota.

    .venv/bin/python tests/performance/ingest.py [PAGES]

A page is the largest one of samples/api_payloads, served by a process of its own on 127.0.0.1. The connector asks for
each listing of 50 pages again, in 5 large ones. The bare reader makes the same requests with one requests session,
parses the pages and writes those of the first reading to files. Both read one page after another.
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
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import requests  # noqa: E402

from concert_platform.sources import client as client_module  # noqa: E402
from concert_platform.sources.client import Api, SourceClient  # noqa: E402
from concert_platform.sources.keys import ApiKey  # noqa: E402
from concert_platform.sources.ticketmaster import (  # noqa: E402
    API,
    DEEPEST,
    LARGEST_PAGE,
    PAGE_SIZE,
    EventListing,
)
from tests.unit.sources.memory import Unlimited  # noqa: E402

PAGES = 10_000
PAGES_OF_LISTING = DEEPEST // PAGE_SIZE  # a listing that needs no spans


def page() -> bytes:
    folder = ROOT / "samples" / "api_payloads" / "ticketmaster"
    return max((path.read_bytes() for path in folder.glob("events_*.json")), key=len)


@cache
def answer(size: int) -> bytes:
    document = json.loads(page())
    events = document["_embedded"]["events"] * (size // PAGE_SIZE)
    numbers = {"size": size, "totalElements": DEEPEST, "totalPages": DEEPEST // size, "number": 0}
    return json.dumps({**document, "_embedded": {"events": events}, "page": numbers}).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the page, repeated as often as the size that it asks for needs it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # the last segment of a page would wait 40 ms for the answer to those before it

    def do_GET(self) -> None:
        body = answer(int(parse_qs(urlsplit(self.path).query)["size"][0]))
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

    def get(number: int, size: int) -> bytes:
        query: dict[str, str | int] = {"page": number, "size": size, "apikey": "key"}
        found = session.get(f"{url}/discovery/v2/events.json", params=query, timeout=30)
        found.json()
        return found.content

    for number in range(pages):
        content = get(number, PAGE_SIZE)
        hashlib.sha256(content).hexdigest()
        (folder / f"{number}.json").write_bytes(content)
        if (number + 1) % PAGES_OF_LISTING == 0:
            for large in range(DEEPEST // LARGEST_PAGE):
                get(large, LARGEST_PAGE)
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
