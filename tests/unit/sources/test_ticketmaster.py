"""The Ticketmaster connector against the replay server, over a real socket."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from concert_platform.settings import Settings
from concert_platform.sources import ticketmaster
from concert_platform.sources.ticketmaster import (
    TicketmasterClient,
    TicketmasterKeyError,
    TicketmasterUnavailableError,
)
from local.replay.server import ReplayServer

SAMPLES = Path(__file__).parents[3] / "samples"
KEY = "a-key-of-tests"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Settings(environment="development", account_id="000000000000", region="us-east-1")
    monkeypatch.setattr(ticketmaster, "settings", lambda: known)


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[ReplayServer]:
    server = ReplayServer(port=0, samples=SAMPLES, state_dir=tmp_path, key=KEY)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


class Waits(list[float]):
    """Records the waits instead of waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def client(server: ReplayServer, waits: Waits, key: str = KEY) -> TicketmasterClient:
    return TicketmasterClient(f"http://127.0.0.1:{server.server_port}", key, sleep=waits)


def order(server: ReplayServer, *statuses: int) -> None:
    server.faults.path.write_text(json.dumps({"ticketmaster": list(statuses)}))


def test_pages_are_read_to_the_end_with_their_bytes(replay: ReplayServer, waits: Waits) -> None:
    pages = list(client(replay, waits).pages(starting="2020-03-04"))
    assert [(page.number, page.events, page.status) for page in pages] == [(0, 20, 200), (1, 20, 200)]
    assert [len(json.loads(page.content)["_embedded"]["events"]) for page in pages] == [20, 20]
    assert pages[0].headers["Rate-Limit"] == "5000"


def test_unchanged_listing_gives_the_same_bytes_again(replay: ReplayServer, waits: Waits) -> None:
    first, second = (list(client(replay, waits).pages(starting="2020-03-04")) for _ in range(2))
    assert [page.content for page in first] == [page.content for page in second]


def test_two_429_and_a_500_are_waited_out(replay: ReplayServer, waits: Waits) -> None:
    order(replay, 429, 429, 500)
    pages = list(client(replay, waits).pages(starting="2020-03-04"))
    assert sum(page.events for page in pages) == 40
    assert len(waits) == 3
    assert all(0 < wait <= 1 for wait in waits[:2])  # the reset that the server announced
    assert waits[2] == 4  # the third attempt's own step


def test_lasting_500_ends_in_one_line_that_names_page_and_status(replay: ReplayServer, waits: Waits) -> None:
    order(replay, *[500] * ticketmaster.ATTEMPTS)
    with pytest.raises(TicketmasterUnavailableError, match=r"^Ticketmaster page 0: 500 .*try again later$"):
        list(client(replay, waits).pages(starting="2020-03-04"))
    assert len(waits) == ticketmaster.ATTEMPTS - 1


def test_refused_key_fails_at_once_and_names_the_secret(replay: ReplayServer, waits: Waits) -> None:
    with pytest.raises(TicketmasterKeyError) as caught:
        list(client(replay, waits, key="wrong-key").pages(starting="2020-03-04"))
    assert "401 Invalid ApiKey" in str(caught.value)
    assert "concert-platform-development/sources/ticketmaster" in str(caught.value)
    assert "wrong-key" not in str(caught.value)
    assert waits == []


def test_empty_listing_gives_one_page_without_events(tmp_path: Path, waits: Waits) -> None:
    folder = tmp_path / "api_payloads"
    folder.mkdir()
    (folder / "manifest.csv").write_text("file,api,endpoint,http_status\n")
    server = ReplayServer(port=0, samples=tmp_path, state_dir=tmp_path, key=KEY)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        pages = list(client(server, waits).pages(starting="2020-03-04"))
    finally:
        server.shutdown()
        server.server_close()
    assert [(page.events, page.total_pages) for page in pages] == [(0, 0)]


def test_reading_stops_at_the_depth_that_the_api_serves(
    replay: ReplayServer, waits: Waits, caplog, monkeypatch
) -> None:
    monkeypatch.setattr(ticketmaster, "DEEPEST", 20)
    with caplog.at_level(logging.WARNING):
        assert len(list(client(replay, waits).pages(starting="2020-03-04"))) == 1
    assert "1 of 2 pages read" in caplog.text


def test_key_stands_in_no_page_address_log_or_error(replay: ReplayServer, waits: Waits, caplog) -> None:
    order(replay, 500)
    with caplog.at_level(logging.DEBUG):
        pages = list(client(replay, waits).pages(starting="2020-03-04"))
    assert "GET /discovery/v2/events.json" in caplog.text  # urllib3's line is there, without the key
    assert KEY not in caplog.text + "".join(page.url + page.content.decode() for page in pages)


def test_unreachable_api_is_named_without_the_key(waits: Waits) -> None:
    with pytest.raises(TicketmasterUnavailableError) as caught:
        list(TicketmasterClient("http://127.0.0.1:9", KEY, sleep=waits).pages(starting="2020-03-04"))
    assert str(caught.value) == (
        "Ticketmaster page 0 not read (ConnectionError): is http://127.0.0.1:9/discovery/v2/events.json reachable?"
    )
    assert caught.value.__context__ is None  # requests' own exception quotes the address with the key


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"Rate-Limit-Reset": "0"}, 0), ({"Retry-After": "soon"}, None), ({}, None)],
)
def test_announced_wait_is_read_from_either_header(headers: dict[str, str], seconds: float | None) -> None:
    assert ticketmaster._announced_wait(headers) == seconds


def test_wait_for_a_spent_daily_quota_is_capped(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr("local.replay.ticketmaster.FAULT_WAIT", 3600.0)
    order(replay, *[429] * ticketmaster.ATTEMPTS)
    started = time.monotonic()
    with pytest.raises(TicketmasterUnavailableError, match="429 Rate limit quota violation"):
        list(client(replay, waits).pages(starting="2020-03-04"))
    assert waits == [ticketmaster.LONGEST_WAIT] * (ticketmaster.ATTEMPTS - 1)
    assert time.monotonic() - started < 10
