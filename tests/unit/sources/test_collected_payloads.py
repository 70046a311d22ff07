"""The collected recordings, put where the samples lie, are served and ingested as they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from concert_platform.sources import setlistfm
from concert_platform.sources.connectors import CONNECTORS
from concert_platform.sources.run import IngestRun
from local.replay.server import ReplayServer
from local.replay.watch_list import watch_list
from tests.unit.sources.conftest import SAMPLES, Sources, Waits, connected, serving

RECORDINGS = SAMPLES.parents[1] / "shared" / "data"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"the collected data is not at {RECORDINGS}")
FIRST, SECOND = IngestRun("2020-03-04", "first"), IngestRun("2020-03-04", "second")


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[ReplayServer]:
    with serving(RECORDINGS, tmp_path) as server:
        yield server


@pytest.fixture
def ingested(replay: ReplayServer, monkeypatch) -> Sources:
    sources = connected(Sources(replay, Waits()), monkeypatch)
    sources.bucket.objects["landing/watch_list/replayed.yaml"] = watch_list(RECORDINGS).encode()
    for connector in CONNECTORS.values():
        connector(FIRST)
    return sources


def recorded(name: str) -> dict:
    document = json.loads((RECORDINGS / "api_payloads" / name).read_text())
    return document.get("body", document)


def names(sources: Sources, source: str, entity: str) -> set[str]:
    return {record["name"] for record in sources.records(source, entity, FIRST)}


def test_every_recorded_event_attraction_and_venue_is_delivered(ingested: Sources) -> None:
    events = {event["id"] for event in ingested.records("ticketmaster", "event", FIRST)}
    for name in ("events_2016_us_page0", "events_2020_us_page0", "events_local_page1", "events_2017_single"):
        listed = recorded(f"ticketmaster/{name}.json")["_embedded"]["events"]
        assert {event["id"] for event in listed} <= events, name
    attractions = recorded("ticketmaster/attractions_page0.json")["_embedded"]["attractions"]
    assert {entry["name"] for entry in attractions} <= names(ingested, "ticketmaster", "artist")
    venues = names(ingested, "ticketmaster", "venue")
    assert {recorded(f"ticketmaster/{name}.json")["name"] for name in ("venue_detail", "venue_placeholder_http")} <= (
        venues
    )


def test_every_recorded_artist_of_spotify_is_delivered(ingested: Sources) -> None:
    assert {"Pitbull", "David Bowie", "T. Rex", "Tania Bowra", "Arctic Monkeys"} <= names(ingested, "spotify", "artist")
    assert len(names(ingested, "spotify", "artist")) == len(
        {a["name"] for a in ingested.replay.spotify.artists.values()}
    )


def test_every_recorded_setlist_of_setlistfm_is_delivered(ingested: Sources) -> None:
    delivered = {setlist["id"] for setlist in ingested.records("setlistfm", "setlist", FIRST)}
    for name in ("artist_setlists_page1", "artist_setlists_page2", "phish_setlists_page1", "search_setlists_http"):
        assert {entry["id"] for entry in recorded(f"setlistfm/{name}.json")["setlist"]} <= delivered, name
    assert recorded("setlistfm/setlist_detail.json")["id"] in delivered
    assert {"BABYMETAL", "Phish", "Stereophonics", "Foo Fighters"} <= names(ingested, "setlistfm", "artist")


def test_venues_of_setlistfm_follow_over_the_runs(ingested: Sources) -> None:
    runs = [IngestRun("2020-03-04", f"run-{number}") for number in range(9)]
    left = [setlistfm.ingest_venues(run)["left"] for run in runs]
    assert (left[-2], left[-1]) == (0, 0)


def test_repeated_run_delivers_nothing(ingested: Sources) -> None:
    for name, connector in CONNECTORS.items():
        if name != "setlistfm_venues":
            assert connector(SECOND)["files"] == 0, name


def test_bytes_are_those_that_the_api_sent(ingested: Sources) -> None:
    for file in ingested.bucket.manifest("setlistfm", "setlist", FIRST)["files"]:
        assert len(ingested.bucket.objects[file["key"]]) == file["bytes"]
        assert file["request"]["url"].startswith("http://127.0.0.1:")
