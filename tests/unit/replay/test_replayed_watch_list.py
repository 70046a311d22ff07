"""The watch list of the payloads: all that they hold, in the form that the platform reads, put into the drop zone."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.settings import Settings
from concert_platform.sources import landing
from concert_platform.sources.watch_list import parse
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
