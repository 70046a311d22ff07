"""The replay server over a real socket, and a client of each API that records its waits instead of waiting."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from concert_platform.settings import Settings
from concert_platform.sources import client as client_module
from concert_platform.sources import delivery, setlistfm, spotify, ticketmaster, ticketmaster_entities, watch_list
from concert_platform.sources.client import Api, SourceClient
from concert_platform.sources.keys import ApiKey
from concert_platform.sources.run import IngestRun
from local.replay.answers import Answer, Request
from local.replay.server import ReplayServer
from tests.unit.sources.memory import MemoryBucket, MemoryState, Unlimited

SAMPLES = Path(__file__).parents[3] / "samples"
KEY = "a-key-of-tests"
KNOWN = Settings(environment="development", account_id="000000000000", region="us-east-1")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "settings", lambda: KNOWN)


@contextmanager
def serving(samples: Path, state_dir: Path, **options: object) -> Iterator[ReplayServer]:
    server = ReplayServer(port=0, samples=samples, state_dir=state_dir, key=KEY, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[ReplayServer]:
    with serving(SAMPLES, tmp_path) as server:
        yield server


class Waits(list[float]):
    """Records the waits instead of waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


def url(server: ReplayServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def order(server: ReplayServer, *faults: int | str, api: str = "ticketmaster") -> None:
    server.faults.path.write_text(json.dumps({api: list(faults)}))


def ticketmaster_client(server: ReplayServer, waits: Waits, key: str = KEY) -> SourceClient:
    credentials = ApiKey(key, parameter="apikey")
    return SourceClient(Api("ticketmaster", "Ticketmaster"), url(server), credentials, budget=Unlimited(), sleep=waits)


def setlistfm_client(server: ReplayServer, waits: Waits, key: str = KEY) -> SourceClient:
    credentials = ApiKey(key, header="x-api-key")
    return SourceClient(Api("setlistfm", "setlist.fm"), url(server), credentials, budget=Unlimited(), sleep=waits)


def spotify_client(server: ReplayServer, waits: Waits, key: str = KEY) -> SourceClient:
    identity = spotify.ClientIdentity(key, key)
    accounts = SourceClient(spotify.API, url(server), identity, budget=Unlimited(), sleep=waits)
    return SourceClient(spotify.API, url(server), spotify.AccessToken(accounts), budget=Unlimited(), sleep=waits)


class Sources:
    """The connectors over a replay server, with bucket and state in memory; ``watch`` writes the watch list."""

    def __init__(self, server: ReplayServer, waits: Waits) -> None:
        self.replay, self.waits = server, waits
        self.bucket, self.state = MemoryBucket(), MemoryState()
        self.requests: list[str] = []
        self.own_list = server.faults.path.with_name("watch_list.yaml")
        self.watch()

    def watch(self, *artists: dict[str, str], venues: tuple[dict[str, str], ...] = ()) -> None:
        self.own_list.write_text(json.dumps({"artists": artists, "venues": venues}))

    def records(self, source: str, entity: str, run: IngestRun) -> list[dict[str, Any]]:
        return self.bucket.records(source, entity, run)


@pytest.fixture
def sources(replay: ReplayServer, waits: Waits, monkeypatch: pytest.MonkeyPatch) -> Sources:
    return connected(Sources(replay, waits), monkeypatch)


def connected(made: Sources, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Lead the connectors to a replay server and to memory."""
    clients = {ticketmaster: ticketmaster_client, ticketmaster_entities: ticketmaster_client,
               setlistfm: setlistfm_client, spotify: spotify_client}  # fmt: skip
    for module, client in clients.items():
        monkeypatch.setattr(module, "api_client", lambda client=client: client(made.replay, made.waits))
    monkeypatch.setattr(boto3, "client", lambda *_: made.bucket)
    monkeypatch.setattr(delivery, "IngestState", lambda: made.state)
    for module in (delivery, watch_list):
        monkeypatch.setattr(module, "settings", lambda: KNOWN)
    monkeypatch.setattr(watch_list, "resource", lambda _: made.own_list)
    answer = made.replay.answer

    def counted(request: Request) -> Answer:
        made.requests.append(request.path)
        return answer(request)

    monkeypatch.setattr(made.replay, "answer", counted)
    return made
