"""The watch list: the platform's own file, the operators' files, and what becomes of a bad one."""

from itertools import permutations

import pytest

from concert_platform.resources import resource
from concert_platform.sources import spotify, watch_list
from concert_platform.sources.run import IngestRun
from concert_platform.sources.watch_list import UnusableWatchListError, WatchedArtist, merged, parse
from tests.unit.sources.conftest import Sources

MBID = "27e2997f-f7a1-4353-bcc4-57b9274fa9a4"
BOWIE, PITBULL = "0oSGxfWSnnOXhD2fKuz2Gy", "0TnOYISbd1XYRBk9myaseg"
RUN = IngestRun("2020-03-04", "first")


def test_own_list_can_be_read() -> None:
    artists = parse(resource(watch_list.OWN_LIST).read_bytes()).artists
    assert {"Björk", "中島みゆき"} <= {artist.name for artist in artists}


def test_entries_of_one_artist_become_one() -> None:
    entries = [
        WatchedArtist(name="BABYMETAL", musicbrainz_id=MBID),
        WatchedArtist(name="Babymetal", spotify_id=BOWIE),
        WatchedArtist(name="BABYMETAL (JP)", musicbrainz_id=MBID, ticketmaster_id="K8"),
        WatchedArtist(name="BABYMETAL", spotify_id=PITBULL),
    ]
    assert merged(entries) == [
        WatchedArtist(name="BABYMETAL", musicbrainz_id=MBID, spotify_id=BOWIE, ticketmaster_id="K8"),
        WatchedArtist(name="BABYMETAL", spotify_id=PITBULL),
    ]


def test_entry_that_names_the_ids_of_two_others_makes_one_of_all_three_in_any_order() -> None:
    entries = [
        WatchedArtist(name="BABYMETAL", musicbrainz_id=MBID),
        WatchedArtist(name="ベビーメタル", spotify_id=BOWIE),
        WatchedArtist(name="Babymetal (JP)", musicbrainz_id=MBID, spotify_id=BOWIE),
        WatchedArtist(name="Pitbull", spotify_id=PITBULL),
    ]
    for order in permutations(entries):
        ids = sorted((one.musicbrainz_id or "", one.spotify_id or "") for one in merged(order))
        assert ids == [("", PITBULL), (MBID, BOWIE)]


def test_files_of_the_drop_zone_are_read_without_a_deployment(sources: Sources) -> None:
    sources.bucket.objects["landing/watch_list/more.yaml"] = (
        f"artists:\n  - name: David Bowie\n    spotify_id: {BOWIE}\n".encode()
    )
    sources.bucket.objects["landing/watch_list/notes.txt"] = b"no list"
    assert spotify.ingest_artists(RUN)["records"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"artists: [", "it is no YAML: while parsing"),
        ("artists: [{name: Bj\xf6rk}]".encode("latin-1"), "it is not UTF-8"),
        (b"artists: [{spotify_id: 1}]", "artists.0.name: Field required"),
        (b"artists: [{name: A, spotify: b}]", "artists.0.spotify: Extra inputs are not permitted"),
        (b"artists: [{name: A, musicbrainz_id: '../../etc'}]", "artists.0.musicbrainz_id: String should match"),
        (b'artists: [{name: "A\\nB"}]', "artists.0.name: String should match"),
        (b"- A\n- B", "document: Input should be"),
        (b"artists: {name: A}", "artists: Input should be a valid list"),
        (b"artist: [{name: A}]", "artist: Extra inputs are not permitted"),
        (b"artists: " + b"[" * 5000 + b"]" * 5000, "it is nested too deeply"),
        (b"#" * (watch_list.LARGEST + 1), "it is larger than 1,048,576 bytes"),
    ],
)
def test_bad_file_is_named_and_the_others_are_read(sources: Sources, content: bytes, reason: str) -> None:
    sources.watch({"name": "David Bowie", "spotify_id": BOWIE})
    sources.bucket.objects["landing/watch_list/bad.yaml"] = content
    with pytest.raises(UnusableWatchListError) as caught:
        spotify.ingest_artists(RUN)
    assert f"/landing/watch_list/bad.yaml: {reason}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sources.bucket.manifest("spotify", "artist", RUN)["records"] == 1


def test_bad_entry_is_named_and_the_others_of_its_file_are_read(sources: Sources) -> None:
    sources.bucket.objects["landing/watch_list/mixed.yaml"] = (
        f"artists: [{{name: ''}}, {{name: B, spotify_id: {BOWIE}}}, Eagles]\nvenues: [{{name: A}}, {{}}]".encode()
    )
    with pytest.raises(UnusableWatchListError) as caught:
        spotify.ingest_artists(RUN)
    reason = str(caught.value)
    assert "/landing/watch_list/mixed.yaml: artists.0.name: String should match pattern" in reason
    assert ", artists.2: Input should be a valid dictionary" in reason
    assert ", venues.1.name: Field required; mend or remove these" in reason
    assert "\n" not in reason
    assert sources.bucket.manifest("spotify", "artist", RUN)["records"] == 1


def test_of_many_bad_entries_a_few_are_named(sources: Sources) -> None:
    sources.bucket.objects["landing/watch_list/bad.yaml"] = f"artists: [{', '.join(['1'] * 40)}]".encode()
    with pytest.raises(UnusableWatchListError, match=r"artists\.4: .*, and 35 more; mend"):
        spotify.ingest_artists(RUN)


def test_empty_file_lists_nobody() -> None:
    assert parse(b"# nobody yet\n").artists == []
