"""Artists, venues and setlists of the APIs: typing, record rules, songs, accounts, and ids across sources."""

import json
from copy import deepcopy
from datetime import date
from typing import Any

import pytest
from concert_etl.errors import CurationError
from test_event_and_interaction import EVENT, page

MBID = "87c5dedd-371d-4a53-9f7f-80522fb7f3cb"
SPOTIFY_ID = "7w29UYBi0qsHi5RTcv3lmA"
ATTRACTION = {
    "id": "K8vZ917", "name": "Björk", "test": False, "url": "http://ticketmaster.com/artist/734980",
    "classifications": [{"genre": {"name": "Rock"}, "subGenre": {"name": "Undefined"}}],
    "externalLinks": {
        "musicbrainz": [{"id": MBID}],
        "spotify": [{"url": f"https://open.spotify.com/artist/{SPOTIFY_ID}?autoplay=true"}],
    },
}  # fmt: skip
SPOTIFY_ARTIST = {
    "id": SPOTIFY_ID, "name": "Bjork", "genres": ["icelandic pop", "art pop"], "popularity": 64,
    "followers": {"href": None, "total": 1500000},
}  # fmt: skip
SETLISTFM_ARTIST = {"mbid": MBID, "tmid": 734980, "name": "björk", "sortName": "björk", "disambiguation": ""}
TICKETMASTER_VENUE = {
    "id": "KovZ1", "name": "The O2", "timezone": "Europe/London", "city": {"name": "London"},
    "country": {"name": "Great Britain", "countryCode": "GB"},
    "location": {"longitude": "0.0032", "latitude": "51.5030"},
}  # fmt: skip
SETLISTFM_VENUE = {
    "id": "23d4", "name": "The O2",
    "city": {"name": "London", "coords": {"lat": 51.5085, "long": -0.1257}, "country": {"code": "GB", "name": "UK"}},
}  # fmt: skip
SETLIST = {
    "id": "6bd6", "eventDate": "19-11-2019", "lastUpdated": "2019-11-20T11:25:45.000+0000",
    "artist": SETLISTFM_ARTIST, "venue": SETLISTFM_VENUE, "tour": {"name": "Cornucopia"},
    "sets": {"set": [
        {"song": [{"name": "Family", "tape": True}, {"name": ""}, {"name": "糸", "cover": {"name": "中島みゆき"}}]},
        {"encore": 1, "name": "Encore:", "song": [{"name": "Notget"}]},
    ]},
}  # fmt: skip


def changed(record: dict[str, Any], path: str, value: Any = None) -> dict[str, Any]:
    """A good record with one value replaced, or left out when there is none."""
    record = deepcopy(record)
    *parents, last = path.split(".")
    place: Any = record
    for name in parents:
        place = place[int(name) if name.isdigit() else name]
    key = int(last) if last.isdigit() else last
    if value is None:
        del place[key]
    else:
        place[key] = value
    return record


def numbered(records: list[dict[str, Any]], name: str = "id") -> list[dict[str, Any]]:
    """Give each record an id of its own, so that none repeats another."""
    return [record if not record.get(name) else record | {name: f"x{number}"} for number, record in enumerate(records)]


def dump(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


@pytest.fixture
def deliver_all(deliver: Any) -> None:
    """One concert as each source knows it."""
    event = deepcopy(EVENT)
    event["_embedded"] = {"venues": [TICKETMASTER_VENUE], "attractions": [ATTRACTION]}  # type: ignore[assignment]
    deliver("ticketmaster", "event", {"e.json": page(event)}, {"e.json": 1})
    pages = [
        ("ticketmaster", "artist", {"_embedded": {"attractions": [ATTRACTION]}}, "_embedded.attractions"),
        ("ticketmaster", "venue", TICKETMASTER_VENUE, ""),
        ("spotify", "artist", {"artists": {"items": [SPOTIFY_ARTIST]}}, "artists.items"),
        ("setlistfm", "artist", {"artist": [SETLISTFM_ARTIST]}, "artist"),
        ("setlistfm", "venue", {"venue": [SETLISTFM_VENUE]}, "venue"),
        ("setlistfm", "setlist", {"setlist": [SETLIST]}, "setlist"),
    ]
    for source, entity, document, path in pages:
        deliver(source, entity, {"p.json": dump(document)}, {"p.json": 1}, records_path=path)
    deliver("lastfm", "interaction", {"i.tsv": "user_id\tartist_id\tartist\tweight\n1\t7\tBjork\t2\n"}, {"i.tsv": 1})


@pytest.mark.usefixtures("deliver_all")
def test_a_concert_is_one_artist_and_one_venue_in_every_dataset(run_whole_job: Any, buckets: Any) -> None:
    outcome = run_whole_job()

    artists = {row["source"]: row for row in outcome.rows("artist").collect()}
    venues = {row["source"]: row for row in outcome.rows("venue").collect()}
    (event,), songs = outcome.rows("event").collect(), outcome.rows("setlist").orderBy("song_position").collect()
    (listener,) = outcome.rows("interaction").collect()
    assert len({row["artist_id"] for row in (*artists.values(), event, *songs, listener)}) == 1
    assert len({row["venue_id"] for row in (*venues.values(), event, *songs)}) == 1
    assert (event["source_artist_id"], event["source_venue_id"]) == ("K8vZ917", "KovZ1")

    spotify, attraction = artists["spotify"], artists["ticketmaster"]
    assert (spotify["genres"], spotify["popularity"], spotify["followers"]) == ("art pop; icelandic pop", 64, 1500000)
    assert (attraction["musicbrainz_id"], attraction["spotify_id"], attraction["genres"]) == (MBID, SPOTIFY_ID, "Rock")
    assert (artists["setlistfm"]["ticketmaster_id"], attraction["ticketmaster_id"]) == ("734980", "K8vZ917")
    assert (venues["ticketmaster"]["latitude"], venues["ticketmaster"]["country"]) == (51.503, "GB")
    assert venues["setlistfm"]["longitude"] == -0.1257

    assert [(row["song_position"], row["song"], row["is_encore"], row["is_tape"]) for row in songs] == [
        (1, "Family", False, True), (2, None, False, False), (3, "糸", False, False), (4, "Notget", True, False)
    ]  # fmt: skip
    assert (songs[2]["cover_of"], songs[3]["set_name"], songs[0]["tour"]) == ("中島みゆき", "Encore:", "Cornucopia")
    assert songs[0]["event_date"] == date(2019, 11, 19) and songs[0]["updated_at"].isoformat() == "2019-11-20T11:25:45"

    rules = {(row["entity"], row["source"]): row["rule"] for row in outcome.rows("identity_match").collect()}
    assert rules == {
        ("artist", "setlistfm"): "first_seen", ("artist", "spotify"): "similar_name",
        ("artist", "ticketmaster"): "musicbrainz_id", ("venue", "setlistfm"): "first_seen",
        ("venue", "ticketmaster"): "same_name_and_place",
    }  # fmt: skip
    assert not [account for account in outcome.accounts if account[1] == "identity_match"]
    assert outcome.accounts["setlistfm", "setlist"]["read"] == 1
    failed = [check for check in outcome.checks if not check["success"]]
    suites = {"raw", *outcome.report["entities"]} - {"box_office"}
    assert failed == [] and {check["suite"] for check in outcome.checks} == suites
    tables = {key[0] for key in buckets.catalogue.partitions}
    assert tables == {*outcome.report["entities"], "identity_registry"} - {"box_office"}


def rules_of(outcome: Any) -> list[str]:
    return sorted(row["rule"] for row in outcome.rejected)


def test_each_rule_of_an_artist_is_broken_by_one(deliver: Any, run_job: Any) -> None:
    broken = [
        changed(SPOTIFY_ARTIST, "id"), changed(SPOTIFY_ARTIST, "name"), changed(SPOTIFY_ARTIST, "name", " "),
        changed(SPOTIFY_ARTIST, "popularity", 101), changed(SPOTIFY_ARTIST, "popularity", -1),
        changed(SPOTIFY_ARTIST, "popularity", "high"), changed(SPOTIFY_ARTIST, "followers.total", -1),
        changed(SPOTIFY_ARTIST, "name", "Bj\ufffdrk"), changed(SPOTIFY_ARTIST, "name", "中" * 1366),
        SPOTIFY_ARTIST | {"test": True},
    ]  # fmt: skip
    bare = {"id": "bare", "name": "Spotify since February 2026"}
    records = [*numbered(broken), bare, "no artist"]
    deliver("spotify", "artist", {"p.json": dump({"artists": records})}, {"p.json": 12}, records_path="artists")

    outcome = run_job()

    assert rules_of(outcome) == [
        "artist_id_missing", "artist_name_missing", "artist_name_missing", "encoding_broken", "followers_invalid",
        "popularity_invalid", "popularity_invalid", "popularity_invalid", "record_malformed", "test_record",
        "text_too_long",
    ]  # fmt: skip
    (row,) = outcome.rows("artist").collect()
    assert (row["source_artist_id"], row["popularity"], row["followers"], row["genres"]) == ("bare", None, None, None)


def test_each_rule_of_a_venue_is_broken_by_one(deliver: Any, run_job: Any) -> None:
    broken = [
        changed(TICKETMASTER_VENUE, "id"), changed(TICKETMASTER_VENUE, "name"),
        changed(TICKETMASTER_VENUE, "name", "#1 Please do not use, left over from UCV initial acct set up"),
        changed(TICKETMASTER_VENUE, "name", "TBA"), changed(TICKETMASTER_VENUE, "location.latitude", "91"),
        changed(TICKETMASTER_VENUE, "location.longitude", "-180.5"),
        changed(TICKETMASTER_VENUE, "location.latitude", "NaN"), changed(TICKETMASTER_VENUE, "name", "H\ufffdlle"),
        changed(TICKETMASTER_VENUE, "timezone", "Z" * 129), TICKETMASTER_VENUE | {"test": True},
    ]  # fmt: skip
    nowhere = changed(TICKETMASTER_VENUE, "location") | {"id": "nowhere"}
    unknown = TICKETMASTER_VENUE | {"id": "unknown", "location": {"latitude": "0.0", "longitude": "0"}}
    document = {"_embedded": {"venues": [*numbered(broken), nowhere, unknown]}}
    deliver("ticketmaster", "venue", {"p.json": dump(document)}, {"p.json": 12}, records_path="_embedded.venues")

    outcome = run_job()

    assert rules_of(outcome) == [
        "encoding_broken", "latitude_invalid", "latitude_invalid", "longitude_invalid", "test_record", "text_too_long",
        "venue_id_missing", "venue_name_missing", "venue_placeholder", "venue_placeholder",
    ]  # fmt: skip
    rows = {row["source_venue_id"]: row["latitude"] for row in outcome.rows("venue").collect()}
    assert rows == {"nowhere": None, "unknown": None}


def test_each_rule_of_a_setlist_is_broken_by_one_and_its_account_closes(deliver: Any, run_job: Any) -> None:
    broken = [
        changed(SETLIST, "id"), changed(SETLIST, "artist.mbid"), changed(SETLIST, "artist.name"),
        changed(SETLIST, "eventDate"), changed(SETLIST, "eventDate", "30-02-2019"),
        changed(SETLIST, "eventDate", "2019-11-19"), changed(SETLIST, "eventDate", "19-11-1899"),
        changed(SETLIST, "sets.set.0.song.0.name", "中" * 1366), changed(SETLIST, "tour.name", "t" * 4097),
        changed(SETLIST, "artist.name", "bj\ufffdrk"), changed(SETLIST, "sets.set.0.song.0.name", "Fam\ufffdly"),
    ]  # fmt: skip
    empty = changed(SETLIST, "sets") | {"id": "empty"}
    homeless = changed(changed(SETLIST, "venue"), "tour") | {"id": "homeless"}
    twice = [SETLIST, changed(SETLIST, "sets.set.1")]
    records = [*numbered(broken), empty, homeless, *twice]
    deliver("setlistfm", "setlist", {"p.json": dump({"setlist": records})}, {"p.json": 15}, records_path="setlist")

    outcome = run_job()

    assert rules_of(outcome) == [
        "artist_missing", "artist_missing", "encoding_broken", "encoding_broken", "event_date_invalid",
        "event_date_invalid", "event_date_invalid", "event_date_missing", "setlist_id_missing", "text_too_long",
        "text_too_long",
    ]  # fmt: skip
    songs: dict[str, list[Any]] = {}
    for row in outcome.rows("setlist").orderBy("song_position").collect():
        songs.setdefault(row["setlist_id"], []).append((row["song_position"], row["song"], row["venue_id"] is None))
    assert songs["empty"] == [(0, None, False)]
    assert [position for position, _, has_no_venue in songs["homeless"] if has_no_venue] == [1, 2, 3, 4]
    assert [position for position, *_ in songs["6bd6"]] == [1, 2, 3], "the later record of a setlist stands for it"
    account = outcome.accounts["setlistfm", "setlist"]
    assert (account["read"], account["quarantined"], account["deduplicated"]) == (15, 11, 1)
    assert outcome.report["entities"]["setlist"]["rows"] == 8


def test_an_event_at_a_placeholder_has_no_venue(deliver: Any, run_job: Any) -> None:
    event = deepcopy(EVENT)
    event["_embedded"]["venues"] = [{"id": "KovZ0", "name": "Please do not use"}]  # type: ignore[index]
    deliver("ticketmaster", "event", {"p.json": page(event)}, {"p.json": 1})

    (row,) = run_job().rows("event").collect()

    assert (row["venue"], row["venue_id"], row["source_venue_id"], row["artist"]) == (None, None, "KovZ0", "Björk")


LATIN = dump({"artists": [SPOTIFY_ARTIST | {"name": "Björk"}]}).encode("latin-1")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (dump({"artists": [SPOTIFY_ARTIST] * 3})[:-80].encode(), "artists"),
        (dump(SPOTIFY_ARTIST)[:-5].encode(), ""),
        (dump({"artists": SPOTIFY_ARTIST}).encode(), "artists"),
    ],
    ids=["page cut off", "record cut off", "no array"],
)
def test_a_page_that_has_not_its_records_is_named(deliver: Any, run_job: Any, content: bytes, path: str) -> None:
    deliver("spotify", "artist", {"p.json": content}, {"p.json": 3}, records_path=path)

    with pytest.raises(CurationError, match=r"p\.json of spotify has \d records where its manifest counts 3"):
        run_job()


def test_a_page_in_another_encoding_gives_no_garbled_name(deliver: Any, run_job: Any) -> None:
    deliver("spotify", "artist", {"p.json": LATIN}, {"p.json": 1}, records_path="artists")

    try:
        outcome = run_job()
    except CurationError as error:
        assert "p.json" in str(error)
    else:
        assert rules_of(outcome) == ["encoding_broken"]


@pytest.mark.parametrize("path", ["artists", ""])
def test_a_page_with_a_byte_order_mark_has_its_records(deliver: Any, run_job: Any, path: str) -> None:
    content = dump({"artists": [SPOTIFY_ARTIST]} if path else SPOTIFY_ARTIST).encode("utf-8-sig")
    deliver("spotify", "artist", {"p.json": content}, {"p.json": 1}, records_path=path)

    assert [row["name"] for row in run_job().rows("artist").collect()] == ["Bjork"]


def test_a_page_without_a_result_has_no_records(deliver: Any, run_job: Any) -> None:
    empty = dump({"page": {"totalElements": 0}})
    deliver("ticketmaster", "artist", {"p.json": empty}, {"p.json": 0}, records_path="_embedded.attractions")

    account = run_job().accounts["ticketmaster", "artist"]

    assert (account["read"], account["quarantined"], account["deduplicated"]) == (0, 0, 0)


def ids(outcome: Any) -> list[tuple[str, str, str]]:
    return sorted(
        (row["source"], row["source_artist_id"], row["artist_id"]) for row in outcome.rows("artist").collect()
    )


def test_a_run_finds_what_earlier_runs_have_resolved_and_its_repetition_changes_nothing(
    deliver: Any, run_job: Any, buckets: Any
) -> None:
    plays = "user_id\tartist_id\tartist\tweight\n1\t7\tBjörk Guðmundsdóttir\t2\n"
    deliver("lastfm", "interaction", {"i.tsv": plays}, {"i.tsv": 1})
    deliver("setlistfm", "artist", {"p.json": dump(SETLISTFM_ARTIST)}, {"p.json": 1}, records_path="")
    first = run_job()
    registry = buckets.catalogue.partitions["identity_registry", "current"]

    other = ATTRACTION | {"name": "Björk Guðmundsdóttir"}
    deliver("ticketmaster", "artist", {"p.json": dump(other)}, {"p.json": 1}, records_path="", run_id="manual-2")
    deliver("lastfm", "interaction", {"i.tsv": plays}, {"i.tsv": 1}, run_id="manual-2")
    run_job(["2020-03-04", "manual-2"])
    report = buckets.path("s3://curated/curated/_reports/dt=2020-03-04/run=manual-2.json")
    second = type(first)(first.spark, first.buckets, json.loads(report.read_text()))
    after = buckets.catalogue.partitions["identity_registry", "current"]
    again = run_job()

    (own,), (found,) = ids(first), ids(second)
    assert found[2] == own[2], "the MusicBrainz id is that of an artist of the first run"
    (alias,) = second.rows("interaction").collect()
    assert alias["artist_id"] == own[2], "the name is now known to mean that artist"
    (before,), (repeated,) = (run.rows("interaction").collect() for run in (first, again))
    assert before == repeated and before["artist_id"] != own[2], "a repeated run finds what it found before"
    assert ids(again) == ids(first)
    assert registry != after == buckets.catalogue.partitions["identity_registry", "current"], "nothing new, no snapshot"


def test_a_refused_run_names_nobody(deliver: Any, run_whole_job: Any, buckets: Any, monkeypatch: Any) -> None:
    from concert_etl import venue

    rules = tuple(rule for rule in venue.RULES if rule.name != "latitude_invalid")
    monkeypatch.setattr(venue, "RULES", rules)
    record = changed(TICKETMASTER_VENUE, "location.latitude", "91")
    deliver("ticketmaster", "venue", {"p.json": dump(record)}, {"p.json": 1}, records_path="")

    with pytest.raises(CurationError, match="gate venue"):
        run_whole_job()

    assert ("identity_registry", "current") not in buckets.catalogue.partitions
