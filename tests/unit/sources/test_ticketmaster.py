"""The Ticketmaster connector against the replay server, over a real socket."""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

import pytest

from concert_platform.sources import client as client_module
from concert_platform.sources import ticketmaster
from concert_platform.sources.client import SourceClient, announced_wait
from concert_platform.sources.errors import (
    ListingError,
    LongListingError,
    QuotaSpentError,
    RefusedError,
    SourceKeyError,
    UnavailableError,
)
from concert_platform.sources.keys import ApiKey
from concert_platform.sources.responses import Listing
from concert_platform.sources.run import IngestRun
from concert_platform.sources.ticketmaster import EventListing, Page
from local.replay.answers import Answer, Request
from local.replay.server import ReplayServer
from tests.unit.sources.conftest import KEY, Sources, Waits, order, ticketmaster_client
from tests.unit.sources.memory import Unlimited

RUN = IngestRun("2020-03-04", "first")


def client(server: ReplayServer, waits: Waits, key: str = KEY) -> EventListing:
    folder = server.faults.path.with_name(f"pages-{len(waits)}-{time.monotonic_ns()}")
    folder.mkdir()
    return EventListing(ticketmaster_client(server, waits, key), folder)


def test_pages_are_read_to_the_end_with_their_bytes(replay: ReplayServer, waits: Waits) -> None:
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert [(page.number, page.records, page.answer.status) for page in pages] == [(0, 20, 200), (1, 20, 200)]
    assert [len(json.loads(page.path.read_bytes())["_embedded"]["events"]) for page in pages] == [20, 20]
    assert pages[0].answer.headers["Rate-Limit"] == "5000"


def test_events_of_every_language_and_without_a_day_or_time_are_asked_for(replay: ReplayServer, waits: Waits) -> None:
    url = client(replay, waits).pages(starting="2020-03-04")[0].answer.url
    asked = dict(parse_qsl(url.partition("?")[2]))
    assert {name: asked.get(name) for name in ("locale", "includeTBA", "includeTBD", "classificationName")} == {
        "locale": "*", "includeTBA": "yes", "includeTBD": "yes", "classificationName": "music",
    }  # fmt: skip


def test_unchanged_listing_gives_the_same_bytes_again(replay: ReplayServer, waits: Waits) -> None:
    first, second = (client(replay, waits).pages(starting="2020-03-04") for _ in range(2))
    assert [page.path.read_bytes() for page in first] == [page.path.read_bytes() for page in second]


def test_two_429_and_a_500_are_waited_out(replay: ReplayServer, waits: Waits) -> None:
    order(replay, 429, 429, 500)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert sum(page.records for page in pages) == 40
    assert len(waits) == 3
    assert all(0 < wait <= 1.25 for wait in waits[:2])  # the reset that the server announced, and jitter
    assert 2 <= waits[2] <= 4  # the third attempt's own step


def test_lasting_500_ends_in_one_line_that_names_page_and_status(replay: ReplayServer, waits: Waits) -> None:
    order(replay, *[500] * client_module.ATTEMPTS)
    with pytest.raises(UnavailableError, match=r"^Ticketmaster page 0: 500 .*try again later$"):
        client(replay, waits).pages(starting="2020-03-04")
    assert len(waits) == client_module.ATTEMPTS - 1


def test_refused_key_fails_at_once_and_names_the_secret(replay: ReplayServer, waits: Waits) -> None:
    with pytest.raises(SourceKeyError) as caught:
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
    assert [(page.records, page.total_pages) for page in pages] == [(0, 0)]


class Shifting:
    """Adds an event to the listing whenever page 0 has been read, so that the other pages shift."""

    def __init__(self, replay: ReplayServer, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.reads, original = 0, replay.ticketmaster.answer

        def answer(request: Request) -> Answer:
            reply = original(request)
            if request.query["page"] == "0":
                self.reads += 1
                if self.reads <= times:
                    replay.ticketmaster.events.insert(0, {"id": f"new-{self.reads}", "name": "New"})
            return reply

        monkeypatch.setattr(replay.ticketmaster, "answer", answer)


def test_listing_that_shifts_while_it_is_read_is_read_again(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    shifting = Shifting(replay, monkeypatch, times=1)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert shifting.reads == 3  # the second reading is checked
    events = [event["id"] for page in pages for event in json.loads(page.path.read_bytes())["_embedded"]["events"]]
    assert sorted(events) == sorted(event["id"] for event in replay.ticketmaster.events)


def test_listing_that_keeps_shifting_fails_in_one_line(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    Shifting(replay, monkeypatch, times=2)
    with pytest.raises(ListingError, match=r"changed twice while it was read \(42 events of 42\): run the"):
        client(replay, waits).pages(starting="2020-03-04")


class Replacing:
    """Takes the first event of the listing away and adds another at its end, before each of some requests."""

    def __init__(self, replay: ReplayServer, monkeypatch: pytest.MonkeyPatch, *requests: int) -> None:
        self.asked, original = 0, replay.ticketmaster.answer

        def answer(request: Request) -> Answer:
            self.asked += 1
            if self.asked in requests:
                replay.ticketmaster.events.sort(key=lambda event: event["id"])
                replay.ticketmaster.events[:] = [*replay.ticketmaster.events[1:], {"id": f"zz-{self.asked}"}]
            return original(request)

        monkeypatch.setattr(replay.ticketmaster, "answer", answer)


@pytest.mark.parametrize("moment", [2, 3])  # between the two pages, and between them and the second reading
def test_event_that_replaces_another_while_pages_are_read_hides_no_third_one(
    replay: ReplayServer, waits: Waits, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    replacing = Replacing(replay, monkeypatch, moment)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert read(pages) == sorted(event["id"] for event in replay.ticketmaster.events)
    assert replacing.asked == 6  # twice two pages, and both in one


def test_listing_whose_events_keep_being_replaced_fails_in_one_line(
    replay: ReplayServer, waits: Waits, monkeypatch
) -> None:
    Replacing(replay, monkeypatch, 2, 5)
    with pytest.raises(ListingError, match=r"changed twice while it was read \(40 events of 40\): run the"):
        client(replay, waits).pages(starting="2020-03-04")


def test_events_are_asked_for_in_an_order_without_ties(replay: ReplayServer, waits: Waits) -> None:
    found = [json.loads(page.path.read_bytes()) for page in client(replay, waits).pages(starting="2020-03-04")]
    identifiers = [event["id"] for page in found for event in page["_embedded"]["events"]]
    assert identifiers == sorted(identifiers)


def test_order_that_changes_between_two_pages_neither_repeats_nor_hides_an_event(
    replay: ReplayServer, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of an API that heeds no order."""
    original, asked = replay.ticketmaster.answer, []

    def answer(request: Request) -> Answer:
        asked.append(request.query["page"])
        if len(asked) == 2:
            replay.ticketmaster.events.reverse()
        return original(replace(request, query={**request.query, "sort": "random"}))

    monkeypatch.setattr(replay.ticketmaster, "answer", answer)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert read(pages) == sorted(event["id"] for event in replay.ticketmaster.events)
    assert asked == ["0", "1", "0", "0", "1", "0"]


def test_event_that_is_recorded_twice_is_listed_twice(replay: ReplayServer, waits: Waits) -> None:
    replay.ticketmaster.events.append(replay.ticketmaster.events[0])
    assert len(read(client(replay, waits).pages(starting="2020-03-04"))) == 41


def test_one_page_is_of_one_moment_and_not_asked_for_again(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    replacing = Replacing(replay, monkeypatch)
    client(replay, waits).pages(starting="2020-03-04", size=50)
    assert replacing.asked == 1


def read(pages: list[Page]) -> list[str]:
    found = [json.loads(page.path.read_bytes()).get("_embedded", {}).get("events", []) for page in pages]
    return sorted(event["id"] for events in found for event in events)


def dated(start: dict[str, str], number: int) -> list[dict[str, Any]]:
    return [{"id": f"{min(start.values(), default='')}-{count}", "dates": {"start": start}} for count in range(number)]


def test_long_listing_is_read_in_spans_that_lose_no_event(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr(ticketmaster, "DEEPEST", 10)
    starts = {f"{day}T{hour:02}:00:00Z" for day in ("2020-03-04", "2020-08-31", "2023-01-01") for hour in range(8)}
    replay.ticketmaster.events = [{"id": start, "dates": {"start": {"dateTime": start}}} for start in starts]
    assert read(client(replay, waits).pages(starting="2020-03-04")) == sorted(starts)


@pytest.mark.parametrize("start", [{}, {"localDate": "2020-05-01"}, {"localDate": "2016-05-01"}])
def test_more_than_a_thousand_events_without_a_time_are_read_once(
    replay: ReplayServer, waits: Waits, start: dict[str, str]
) -> None:
    replay.ticketmaster.events += dated(start, 961)
    pages = client(replay, waits).pages(starting="2020-03-04")
    assert read(pages) == sorted(event["id"] for event in replay.ticketmaster.events)
    assert len(read(pages)) == 1001
    assert max(page.total_events for page in pages) <= ticketmaster.DEEPEST


def test_thousands_of_events_of_many_years_are_read_once_on_any_day(replay: ReplayServer, waits: Waits) -> None:
    days = [date(2016, 1, 1) + timedelta(days=count) for count in range(4000)]
    replay.ticketmaster.events += [
        {"id": f"{day}", "dates": {"start": {"localDate": f"{day}", "localTime": "20:00:00"}}} for day in days
    ]
    for starting in ("2020-03-04", "2015-01-01", "2026-11-28"):
        found = read(client(replay, waits).pages(starting=starting))
        assert found == sorted(event["id"] for event in replay.ticketmaster.events), starting


def test_long_listing_that_starts_where_another_was_cut_loses_no_event(replay: ReplayServer, waits: Waits) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=4 * count) for count in range(1500)]
    replay.ticketmaster.events = [
        {"id": f"{moment:%FT%TZ}", "dates": {"start": {"dateTime": f"{moment:%FT%TZ}"}}} for moment in moments
    ]
    first = date(2026, 1, 1)
    one = client(replay, waits)
    for starting in (first, first + ticketmaster.FIRST_SPAN):
        for listing in (one, client(replay, waits)):  # over the connection of the one before, and over a new one
            found = read(listing.pages(starting=f"{starting}"))
            assert found == sorted(event["id"] for event in replay.ticketmaster.events), starting


def test_listing_that_no_span_makes_shorter_fails_in_one_line(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr(ticketmaster, "DEEPEST", 20)
    replay.ticketmaster.events = dated({"dateTime": "2020-05-01T20:00:00Z"}, 21)
    with pytest.raises(LongListingError, match="and serves 20 of a listing: narrow the query in"):
        client(replay, waits).pages(starting="2020-03-04")


def test_trying_again_makes_no_listing_shorter() -> None:
    assert issubclass(LongListingError, RefusedError)


@pytest.mark.parametrize("shown", [str, quote_plus, lambda key: quote(key, safe="")])
def test_key_is_hidden_as_an_address_quotes_it_too(
    replay: ReplayServer, waits: Waits, monkeypatch: pytest.MonkeyPatch, shown: Callable[[str], str]
) -> None:
    key = "a/key of+tests=="
    monkeypatch.setattr(replay, "answer", lambda _: Answer(400, {"message": f"apikey={shown(key)} is odd"}))
    with pytest.raises(RefusedError, match=r"400 apikey=\*\*\* is odd"):
        client(replay, waits, key).pages(starting="2020-03-04")


def test_key_stands_in_no_page_address_log_or_error(replay: ReplayServer, waits: Waits, caplog) -> None:
    order(replay, 500)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        pages = client(replay, waits).pages(starting="2020-03-04")
    assert "GET /discovery/v2/events.json" in caplog.text  # urllib3's line is there, without the key
    assert KEY not in caplog.text + "".join(page.answer.url + page.path.read_text() for page in pages)


def test_unreachable_api_is_named_without_the_key(waits: Waits) -> None:
    with pytest.raises(UnavailableError) as caught:
        SourceClient(
            ticketmaster.API, "http://127.0.0.1:9", ApiKey(KEY, parameter="apikey"), budget=Unlimited(), sleep=waits
        ).get(ticketmaster.PATH, what="page 0", model=Listing)
    assert str(caught.value) == (
        "Ticketmaster page 0 not read (ConnectionError): is http://127.0.0.1:9/discovery/v2/events.json reachable?"
    )
    assert caught.value.__context__ is None  # requests' own exception quotes the address with the key


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7), ({"Rate-Limit-Reset": "0"}, 0), ({"Retry-After": "soon"}, None), ({}, None)],
)
def test_announced_wait_is_read_from_either_header(headers: dict[str, str], seconds: float | None) -> None:
    assert announced_wait(headers) == seconds


def test_quota_that_returns_late_ends_the_task_at_once_and_says_when(
    replay: ReplayServer, waits: Waits, monkeypatch
) -> None:
    monkeypatch.setattr("local.replay.ticketmaster.FAULT_WAIT", 3600.0)
    order(replay, 429)
    with pytest.raises(QuotaSpentError, match=r"page 0: 429 Rate limit quota violation.*answers again at 20\d\d-.*Z;"):
        client(replay, waits).pages(starting="2020-03-04")
    assert waits == []


def test_last_request_of_the_quota_holds_the_next_one_back(replay: ReplayServer, waits: Waits, monkeypatch) -> None:
    monkeypatch.setattr("local.replay.ticketmaster.DAILY_QUOTA", 1)
    monkeypatch.setattr(time, "time", lambda: 86400.0 * 20000 - 7200)  # two hours before the quota returns
    with pytest.raises(QuotaSpentError, match="page 1 not asked for: the API answers again at"):
        client(replay, waits).pages(starting="2020-03-04")


def test_page_that_breaks_off_is_asked_for_again(replay: ReplayServer, waits: Waits) -> None:
    order(replay, "cut")
    assert sum(page.records for page in client(replay, waits).pages(starting="2020-03-04")) == 40
    assert len(waits) == 1


def test_odd_records_hold_up_no_other(sources: Sources) -> None:
    odd = [None, "text", {"id": 7}, {"id": "half", "name": "\ud83c"}, {"id": "bare", "name": None, "_embedded": None},
           {"id": "parts", "_embedded": {"venues": [None, {"id": 5}], "attractions": None}}]  # fmt: skip
    sources.replay.ticketmaster.events += odd
    ticketmaster.ingest_events(RUN)
    delivered = sources.records("ticketmaster", "event", RUN)
    assert len(delivered) == 46
    assert [record for record in delivered if record in odd] == [odd[4], odd[3], odd[5], *odd[:3]]  # by id
    assert sources.waits == []


def test_page_that_always_breaks_off_is_named_in_one_line(replay: ReplayServer, waits: Waits) -> None:
    order(replay, *["cut"] * client_module.ATTEMPTS)
    with pytest.raises(UnavailableError, match=r"^Ticketmaster page 0 is no Listing: Invalid JSON: [^\n]*$"):
        client(replay, waits).pages(starting="2020-03-04")
