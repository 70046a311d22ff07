"""The watch list of the payloads: all that they hold, in the form that the platform reads, put into the drop zone."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.settings import Settings
from concert_platform.sources import landing
from concert_platform.sources.watch_list import WatchFile, parse
from local.platform import package
from local.platform.state import PlatformError
from local.replay.payloads import PayloadError
from local.replay.watch_list import watch_list

SAMPLES = Path(__file__).parents[3] / "samples"


def test_list_of_the_payloads_is_one_that_the_platform_reads() -> None:
    listed = parse(watch_list(SAMPLES).encode())
    assert {"BABYMETAL", "Foo Fighters"} <= {artist.name for artist in listed.artists if artist.musicbrainz_id}
    assert {"中島みゆき", "David Bowie"} <= {artist.name for artist in listed.artists if artist.spotify_id}
    assert [venue.ticketmaster_id for venue in listed.venues] == ["KovZpZAFnIEA"]


def test_covered_artists_are_not_followed() -> None:
    followed = {artist.name for artist in parse(watch_list(SAMPLES).encode()).artists if artist.musicbrainz_id}
    assert "Queen" not in followed  # Foo Fighters played a song of theirs


def test_missing_payload_is_named(tmp_path: Path) -> None:
    (tmp_path / "api_payloads").mkdir()
    (tmp_path / "api_payloads/manifest.csv").write_text("file,api,endpoint,http_status\nx.json,spotify,any,200\n")
    with pytest.raises(PayloadError, match=r"x\.json cannot be read"):
        watch_list(tmp_path)


# ---------------------------------------------------------------- odd records
MBID, SPOTIFY_ID = "27e2997f-f7a1-4353-bcc4-57b9274fa9a4", "3EhbVgyfGd7HkpsagwL9GX"
ARTIST, SPOTIFY_ARTIST = "GET /rest/1.0/artist/{mbid}", "GET /v1/artists/{id}"
ATTRACTIONS, VENUES = "GET /discovery/v2/attractions", "GET /discovery/v2/venues"


def listed(folder: Path, *payloads: tuple[str, str, Any]) -> WatchFile:
    """What the platform reads of the list of these payloads: API, endpoint and body."""
    (folder / "api_payloads").mkdir()
    lines = ["file,api,endpoint,http_status"]
    for number, (api, endpoint, body) in enumerate(payloads):
        (folder / f"api_payloads/{number}.json").write_text(json.dumps(body))
        lines.append(f"{number}.json,{api},{endpoint},200")
    (folder / "api_payloads/manifest.csv").write_text("\n".join(lines))
    return parse(watch_list(folder).encode())


@pytest.mark.parametrize(
    "name", [{}, {"name": None}, {"name": ""}, {"name": "a\nb"}, {"name": ["x"]}, {"name": "\ud83c"}]
)
def test_record_without_a_usable_name_is_followed_under_its_id(tmp_path: Path, name: dict[str, Any]) -> None:
    found = listed(
        tmp_path,
        ("setlistfm", ARTIST, {"mbid": MBID, **name}),
        ("spotify", SPOTIFY_ARTIST, {"type": "artist", "id": SPOTIFY_ID, **name}),
        ("ticketmaster", ATTRACTIONS, {"_embedded": {"attractions": [{"id": "A1", **name}]}}),
        ("ticketmaster", VENUES, {"_embedded": {"venues": [{"id": "V1", **name}]}}),
        ("setlistfm", "GET /rest/1.0/venue/{id}", {"id": "6b", **name}),
    )
    assert [artist.name for artist in found.artists] == [MBID, SPOTIFY_ID, "A1"]
    assert [venue.name for venue in found.venues] == ["6b", "V1"]
    assert found.unusable == []


@pytest.mark.parametrize("name", ["Sunn\x7f", "\x9f", "\ufeffX", "a\u2028b", "🎸", "yes", "1e5", "- a: b", "'\"", "#"])
def test_any_name_in_one_line_is_read_as_it_was_recorded(tmp_path: Path, name: str) -> None:
    found = listed(tmp_path, ("setlistfm", ARTIST, {"mbid": MBID, "name": name}))
    assert [artist.name for artist in found.artists] == [name.strip()]


def test_record_whose_id_cannot_be_asked_for_is_named_and_spoils_no_other(tmp_path: Path, caplog) -> None:
    found = listed(
        tmp_path,
        ("setlistfm", ARTIST, {"mbid": MBID, "name": "B"}),
        ("setlistfm", ARTIST, {"mbid": "none", "name": "C"}),
        ("spotify", SPOTIFY_ARTIST, {"type": "artist", "id": "short", "name": "S"}),
        ("ticketmaster", VENUES, {"_embedded": {"venues": [{"id": "V:1/ü", "name": "V"}, None, {"name": "W"}]}}),
    )
    assert [artist.name for artist in found.artists] == ["B"]
    assert found.venues == []
    named = [message.partition(" is not watched: ")[0] for message in caplog.messages]
    assert named == ["musicbrainz_id 'none'", "spotify_id 'short'", "ticketmaster_id 'V:1/ü'"]


def test_setlists_that_lack_artist_or_venue_give_a_list_all_the_same(tmp_path: Path) -> None:
    whole = {"id": "a", "eventDate": "23-08-1964", "artist": {"mbid": MBID, "name": "B"}, "venue": {"id": "6b"}}
    odd = [{"id": str(number), **part} for number, part in enumerate(
        [{}, {"artist": None}, {"artist": {"name": "x"}}, {"artist": {"mbid": ""}}, {"venue": None}, {"venue": {}}]
    )]  # fmt: skip
    body = {"setlist": [whole, *({**whole, **part} for part in odd), None, "x"]}
    found = listed(tmp_path, ("setlistfm", "GET /rest/1.0/artist/{mbid}/setlists", body))
    assert [artist.name for artist in found.artists] == ["B"]


def test_payload_that_cannot_be_read_ends_make_package_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> str:
        raise PayloadError("x.json holds no JSON")

    monkeypatch.setattr(package, "watch_list", refuse)
    with pytest.raises(PlatformError, match=r"^x\.json holds no JSON$"):
        package.build(Path("never written"))


class EmptyBucket:
    def __init__(self) -> None:
        self.written: dict[str, bytes] = {}

    def head_object(self, **_: str) -> Any:
        missing = {"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
        raise ClientError(missing, "HeadObject")  # type: ignore[arg-type]

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> None:
        self.written[Key] = Body


def test_lists_beside_the_samples_are_landed_in_the_drop_zone(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "watch_list").mkdir()
    (tmp_path / "watch_list/replayed.yaml").write_text(watch_list(SAMPLES))
    monkeypatch.setattr(landing, "resource", lambda _: tmp_path)
    monkeypatch.setattr(landing, "settings", lambda: Settings("development", "000000000000", "us-east-1"))
    monkeypatch.setattr(landing, "SAMPLES", {})
    bucket = EmptyBucket()
    assert landing.land_samples(bucket) == ["landing/watch_list/replayed.yaml"]
    assert parse(bucket.written["landing/watch_list/replayed.yaml"]).artists
