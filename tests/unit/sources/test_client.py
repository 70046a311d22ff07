"""The client of all APIs: what is worth another attempt, how long it waits, and what it never shows."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from concert_platform.settings import Settings, SettingsError, source_budget_variable, source_url_variable
from concert_platform.sources import client as client_module
from concert_platform.sources.client import announced_wait, is_kept
from concert_platform.sources.errors import BudgetSpentError, QuotaSpentError, RefusedError, UnavailableError
from concert_platform.sources.responses import Listing
from local.replay.answers import Answer
from local.replay.server import ReplayServer
from tests.unit.sources.conftest import KNOWN, Waits, order, ticketmaster_client

PATH = "/discovery/v2/events.json"


class Counted:
    """A budget of so many requests."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        if not self.left:
            raise BudgetSpentError("spent")
        self.left -= 1


@pytest.mark.parametrize("status", [400, 404, 405, 410, 418])
def test_client_error_is_not_repeated(replay: ReplayServer, waits: Waits, status: int) -> None:
    order(replay, status)
    with pytest.raises(RefusedError, match=rf"^Ticketmaster page 0: {status} "):
        ticketmaster_client(replay, waits).get(PATH, what="page 0", model=Listing)
    assert waits == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_repeated(replay: ReplayServer, waits: Waits, status: int) -> None:
    order(replay, status)
    assert ticketmaster_client(replay, waits).get(PATH, what="page 0", model=Listing).status == 200
    assert len(waits) == 1


def test_every_attempt_is_counted_in_the_budget_and_a_spent_one_is_not_waited_for(
    replay: ReplayServer, waits: Waits
) -> None:
    client = ticketmaster_client(replay, waits)
    client._budget = Counted(3)
    order(replay, *[500] * 9)
    with pytest.raises(BudgetSpentError):
        client.get(PATH, what="page 0", model=Listing)
    assert len(waits) == 3


def test_waits_grow_and_differ(replay: ReplayServer) -> None:
    series = []
    for _ in range(2):
        waits = Waits()
        order(replay, *[500] * 9)
        with pytest.raises(UnavailableError):
            ticketmaster_client(replay, waits).get(PATH, what="page 0", model=Listing)
        assert all(2**n / 4 <= wait <= 2**n / 2 for n, wait in enumerate(waits, start=1))
        series.append(waits)
    assert len(series[0]) == client_module.ATTEMPTS - 1
    assert series[0] != series[1]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_long_wait_that_is_announced_ends_the_task_at_once(
    replay: ReplayServer, waits: Waits, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(replay, "answer", lambda _: Answer(status, {}, {"Retry-After": "3600"}))
    with pytest.raises(QuotaSpentError, match=rf"^Ticketmaster page 0: {status}: the API answers again at 20"):
        ticketmaster_client(replay, waits).get(PATH, what="page 0", model=Listing)
    assert waits == []


def test_announced_date_is_understood() -> None:
    asked_at = datetime.now(UTC)
    after = format_datetime(asked_at + timedelta(seconds=30), usegmt=True)  # whole seconds
    wait = announced_wait({"Retry-After": after})
    assert wait is not None
    assert 29 - (datetime.now(UTC) - asked_at).total_seconds() <= wait <= 30


def test_reset_of_the_day_says_nothing_about_a_burst() -> None:
    assert announced_wait({"Rate-Limit-Reset": "0", "Rate-Limit-Available": "4000"}) is None


def test_manifest_keeps_limits_and_no_cookie() -> None:
    kept = [name for name in ("ETag", "Rate-Limit-Reset", "Retry-After", "Set-Cookie", "Server") if is_kept(name)]
    assert kept == ["ETag", "Rate-Limit-Reset", "Retry-After"]


def test_addresses_are_the_real_ones_unless_an_option_names_another(monkeypatch) -> None:
    settings: Settings = KNOWN
    assert settings.source_url("setlistfm") == "https://api.setlist.fm"
    monkeypatch.setenv(source_url_variable("setlistfm"), "http://127.0.0.1:1")
    assert settings.source_url("setlistfm") == "http://127.0.0.1:1"


def test_budget_comes_from_the_options_and_must_be_a_number(monkeypatch) -> None:
    assert KNOWN.daily_requests("ticketmaster") == 4500
    monkeypatch.setenv(source_budget_variable("ticketmaster"), "10")
    assert KNOWN.daily_requests("ticketmaster") == 10
    monkeypatch.setenv(source_budget_variable("ticketmaster"), "many")
    with pytest.raises(SettingsError, match="TICKETMASTER_DAILY_REQUESTS is 'many'"):
        KNOWN.daily_requests("ticketmaster")
