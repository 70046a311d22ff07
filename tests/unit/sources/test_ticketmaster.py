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
    TicketmasterListingError,
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
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert [(page.number, page.events, page.status) for page in pages] == [(0, 20, 200), (1, 20, 200)]
    assert [len(json.loads(page.content)["_embedded"]["events"]) for page in pages] == [20, 20]
    assert pages[0].headers["Rate-Limit"] == "5000"


def test_unchanged_listing_gives_the_same_bytes_again(replay: ReplayServer, waits: Waits) -> None:
    first, second = (client(replay, waits).pages(starting="2020-03-04") for _ in range(2))
    assert [page.content for page in first] == [page.content for page in second]


def test_two_429_and_a_500_are_waited_out(replay: ReplayServer, waits: Waits) -> None:
    order(replay, 429, 429, 500)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert sum(page.events for page in pages) == 40
    assert len(waits) == 3
    assert all(0 < wait <= 1 for wait in waits[:2])  # the reset that the server announced
    assert waits[2] == 4  # the third attempt's own step


def test_lasting_500_ends_in_one_line_that_names_page_and_status(replay: ReplayServer, waits: Waits) -> None:
    order(replay, *[500] * ticketmaster.ATTEMPTS)
    with pytest.raises(TicketmasterUnavailableError, match=r"^Ticketmaster page 0: 500 .*try again later$"):
        client(replay, waits).pages(starting="2020-03-04")
    assert len(waits) == ticketmaster.ATTEMPTS - 1


def test_refused_key_fails_at_once_and_names_the_secret(replay: ReplayServer, waits: Waits) -> None:
    with pytest.raises(TicketmasterKeyError) as caught:
        client(replay, waits, key="wrong-key").pages(starting="2020-03-04")
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


class Shifting:
    """Adds an event to the listing whenever page 0 has been read, so that the other pages shift."""

    def __init__(self, replay: ReplayServer, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.reads, original = 0, replay.ticketmaster.answer

        def answer(path: str, query: dict[str, str], fault: int | None = None) -> object:
            reply = original(path, query, fault)
            if query["page"] == "0":
                self.reads += 1
                if self.reads <= times:
                    replay.ticketmaster.events.insert(0, {"id": f"new-{self.reads}", "name": "New"})
            return reply

        monkeypatch.setattr(replay.ticketmaster, "answer", answer)


def test_listing_that_shifts_while_it_is_read_is_read_again(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    shifting = Shifting(replay, monkeypatch, times=1)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert shifting.reads == 2
    events = [event["id"] for page in pages for event in json.loads(page.content)["_embedded"]["events"]]
    assert sorted(events) == sorted(event["id"] for event in replay.ticketmaster.events)


def test_listing_that_keeps_shifting_fails_in_one_line(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    Shifting(replay, monkeypatch, times=2)
    with pytest.raises(TicketmasterListingError, match=r"changed twice while it was read \(42 events of 42\): run the"):
        client(replay, waits).pages(starting="2020-03-04")


def test_long_listing_is_read_in_spans_that_lose_no_event(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr(ticketmaster, "DEEPEST", 10)
    starts = {f"{day}T{hour:02}:00:00Z" for day in ("2020-03-04", "2020-08-31", "2023-01-01") for hour in range(8)}
    events = [{"id": start, "name": start} for start in starts]
    original = replay.ticketmaster.answer

    def answer(path: str, query: dict[str, str], fault: int | None = None) -> object:
        within = (query["startDateTime"], query.get("endDateTime", "9"))
        replay.ticketmaster.events = [event for event in events if within[0] <= event["id"] <= within[1]]
        return original(path, query, fault)

    monkeypatch.setattr(replay.ticketmaster, "answer", answer)
    pages = client(replay, waits).pages(starting="2020-03-04")
    read = [event["id"] for page in pages for event in json.loads(page.content).get("_embedded", {}).get("events", [])]
    assert sorted(read) == sorted(starts)


def test_listing_that_no_span_makes_shorter_fails_in_one_line(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr(ticketmaster, "DEEPEST", 20)
    with pytest.raises(TicketmasterListingError, match="and serves 20 of a listing: narrow the query in"):
        client(replay, waits).pages(starting="2020-03-04")


def test_key_stands_in_no_page_address_log_or_error(replay: ReplayServer, waits: Waits, caplog) -> None:
    order(replay, 500)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        pages = client(replay, waits).pages(starting="2020-03-04")
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
        client(replay, waits).pages(starting="2020-03-04")
    assert waits == [ticketmaster.LONGEST_WAIT] * (ticketmaster.ATTEMPTS - 1)
    assert time.monotonic() - started < 10
