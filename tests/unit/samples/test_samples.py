"""samples/ is what its build programs make of the collected data, and holds facts only."""

import gzip
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

SAMPLES = Path(__file__).parents[3] / "samples"
SHARED = SAMPLES.parents[1] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the collected data is not at {SHARED}")


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # by its name, as one program finds the other in its own folder
    spec.loader.exec_module(module)
    return module


build_samples, build_payloads = program("build_samples"), program("build_payloads")


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@needs_shared
def test_rebuilt_samples_equal_the_ones_in_the_repository(tmp_path: Path) -> None:
    counts = {**build_samples.build(SHARED, tmp_path), **build_payloads.build(SHARED, tmp_path)}
    assert counts["broadway_weekly_grosses"] == 44_535
    assert counts["taylor_swift_tours"] == 445
    assert counts["lastfm/interactions.tsv.gz"] == 92_834
    assert counts["ticketmaster events"] == 40
    built = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(built) == 42
    for path in built:
        assert content(tmp_path / path) == content(SAMPLES / path), path


def test_compressed_files_carry_no_time() -> None:
    files = sorted(SAMPLES.rglob("*.gz"))
    assert len(files) == 5
    assert [path.name for path in files if path.read_bytes()[4:8] != bytes(4)] == []


def test_payloads_hold_no_link_picture_or_prose() -> None:
    files = sorted((SAMPLES / "api_payloads").glob("*/*.json"))
    assert len(files) >= 35  # those of further sources come in by themselves
    forbidden = re.compile(
        r'"(url|href|images|info|pleaseNote|description|seatmap|promoter|external_urls)": (?!null)|https?://'
    )
    # An attraction's Spotify address is the artist's id.
    spotify_id = re.compile(r'"url": "https://open\.spotify\.com/artist/[0-9A-Za-z]{22}(\?autoplay=true)?"')
    found = [path.name for path in files if forbidden.search(spotify_id.sub("", path.read_text()))]
    assert found == []


def test_payloads_keep_the_quirks_of_the_api() -> None:
    folder = SAMPLES / "api_payloads" / "ticketmaster"
    pages = [json.loads(path.read_text()) for path in sorted(folder.glob("events_2*.json"))]
    events = [event for page in pages for event in page["_embedded"]["events"]]
    assert sum("priceRanges" not in event for event in events) == 16
    assert sum("attractions" not in event["_embedded"] for event in events) == 3
    assert sum("timezone" not in event["dates"] for event in events) == 6
    assert "_embedded" not in json.loads((folder / "events_empty_page.json").read_text())
    assert json.loads((folder / "event_2016_time_tba.json").read_text())["dates"]["start"]["timeTBA"] is True


def payload(name: str) -> dict:
    return json.loads((SAMPLES / "api_payloads" / name).read_text())


def test_artists_overlap_by_id_and_by_name() -> None:
    pages = [payload(f"ticketmaster/attractions_page{number}.json") for number in (0, 1)]
    links = {entry["name"]: entry["externalLinks"] for page in pages for entry in page["_embedded"]["attractions"]}
    cooper = links["Alice Cooper"]
    assert cooper["spotify"][0]["url"].endswith(payload("spotify/artist_alice_cooper.json")["id"])
    setlists = payload("setlistfm/setlists_alice_cooper.json")["setlist"]
    assert cooper["musicbrainz"] == [{"id": setlists[0]["artist"]["mbid"]}]
    assert "spotify" not in links["Cold Cave"]
    assert payload("spotify/search_cold_cave.json")["artists"]["items"][0]["name"] == "Cold Cave"


def test_payloads_of_spotify_and_setlistfm_keep_their_quirks() -> None:
    assert "popularity" not in payload("spotify/artist_shinedown.json")
    assert payload("spotify/artist_pitbull.json")["followers"]["href"] is None
    assert payload("spotify/search_none.json")["artists"]["items"] == []
    assert payload("spotify/search_nakajima_miyuki.json")["artists"]["items"][0]["name"] == "中島みゆき"
    songs = [song["name"] for part in payload("setlistfm/setlist_fotos.json")["sets"]["set"] for song in part["song"]]
    assert "" in songs
    assert "sets" not in payload("setlistfm/setlists_alice_cooper.json")["setlist"][0]
    assert payload("setlistfm/setlists_shinedown.json")["setlist"][0]["sets"] == {"set": []}
    assert payload("setlistfm/search_artists_404.json")["status"] == 404


def test_every_listed_event_is_upcoming_on_the_samples_day() -> None:
    as_of = (SAMPLES / "as_of.txt").read_text().strip()
    for path in (SAMPLES / "api_payloads" / "ticketmaster").glob("events_2*.json"):
        for event in json.loads(path.read_text())["_embedded"]["events"]:
            assert event["dates"]["start"]["localDate"] > as_of


def test_every_folder_says_where_its_facts_come_from() -> None:
    folders = [path for path in SAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(folders) == 4
    assert [folder.name for folder in folders if "Licence" not in (folder / "SOURCE.md").read_text()] == []
    assert "non-commercial use only" in (SAMPLES / "lastfm" / "SOURCE.md").read_text()
