"""setlist.fm: few requests, nothing lost while a listing moves, and a watermark that waits for the raw write."""

from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest

from concert_platform.sources import client as client_module
from concert_platform.sources import setlistfm
from concert_platform.sources.errors import ListingError, RefusedError, SourceKeyError, UnavailableError
from concert_platform.sources.run import IngestRun
from local.replay.answers import Answer, Request
from tests.unit.sources.conftest import Sources, order

FIRST, SECOND = IngestRun("2020-03-04", "first"), IngestRun("2020-03-05", "second")
NEXT_MONTH = IngestRun("2020-04-01", "third")
MBID = "27e2997f-f7a1-4353-bcc4-57b9274fa9a4"
BABYMETAL = {"name": "BABYMETAL", "musicbrainz_id": MBID}
FOTOS = {"name": "Fotos", "musicbrainz_id": "01c5b492-6002-4780-a2c8-4edc7564ada1"}
UNKNOWN = {"name": "Unknown", "musicbrainz_id": "00000000-0000-0000-0000-000000000000"}


def setlist(number: int, updated: str = "2017-01-01T00:00:00.000+0000") -> dict[str, Any]:
    return {
        "id": f"{number:08x}", "eventDate": f"01-01-{2100 - number}", "lastUpdated": updated,
        "artist": {"mbid": MBID, "name": "BABYMETAL"}, "venue": {"name": "Somewhere", "city": {"name": "Tokyo"}},
        "sets": {"set": []},
    }  # fmt: skip


@pytest.fixture
def many(sources: Sources) -> Sources:
    """130 setlists of one artist, newest first."""
    sources.replay.setlistfm.setlists = [setlist(number) for number in range(130)]
    sources.watch(BABYMETAL)
    return sources


def ids(sources: Sources, *runs: IngestRun) -> list[str]:
    return [entry["id"] for run in runs for entry in sources.records("setlistfm", "setlist", run)]


def test_setlists_artists_and_venues_are_delivered_with_few_requests(sources: Sources) -> None:
    sources.watch(BABYMETAL, FOTOS, UNKNOWN)
    assert setlistfm.ingest_artists(FIRST)["records"] == 2
    assert setlistfm.ingest_setlists(FIRST)["records"] == 6
    assert setlistfm.ingest_venues(FIRST) == {
        "source": "setlistfm", "entity": "venue", "files": 4, "records": 4, "left": 0,
    }  # fmt: skip
    assert {entry["name"] for entry in sources.records("setlistfm", "artist", FIRST)} == {"BABYMETAL", "Fotos"}
    songs = [song for entry in sources.records("setlistfm", "setlist", FIRST) for part in entry["sets"]["set"]
             for song in part["song"]]  # fmt: skip
    assert "" in {song["name"] for song in songs}  # an unknown song
    assert len(sources.requests) == 3 + 3 + 4


def test_repeated_run_asks_for_changes_only_and_delivers_nothing(sources: Sources) -> None:
    sources.watch(BABYMETAL, FOTOS)
    for connector in (setlistfm.ingest_artists, setlistfm.ingest_setlists, setlistfm.ingest_venues):
        connector(FIRST)
    sources.requests.clear()
    for connector in (setlistfm.ingest_artists, setlistfm.ingest_setlists, setlistfm.ingest_venues):
        assert connector(SECOND)["files"] == 0
    assert sources.requests == ["/rest/1.0/search/setlists"] * 2


def test_artist_is_read_again_in_another_month(sources: Sources) -> None:
    sources.watch(BABYMETAL)
    setlistfm.ingest_artists(FIRST)
    assert setlistfm.ingest_artists(NEXT_MONTH)["records"] == 1


def test_artist_is_read_anew_once_the_items_that_the_documentation_names_are_gone(many: Sources) -> None:
    setlistfm.ingest_setlists(FIRST)
    setlistfm.ingest_setlists(SECOND)
    rows = many.state.rows["setlistfm"]
    many.state.runs.clear()  # both are published
    for item in [item for item in rows if item.partition("#")[2].startswith(MBID)]:
        del rows[item]
    assert setlistfm.ingest_setlists(IngestRun("2020-03-06", "third"))["records"] == 100


def test_old_setlist_that_was_edited_is_delivered_again(many: Sources) -> None:
    setlistfm.ingest_setlists(FIRST)
    many.replay.setlistfm.setlists[70]["lastUpdated"] = "2020-03-04T12:00:00.123+0000"
    setlistfm.ingest_setlists(SECOND)
    assert f"{70:08x}" in ids(many, SECOND)
    assert many.state.versions("setlistfm")[f"watermark#{MBID}"] == "2020-03-04T12:00:00.123000+00:00"


@pytest.mark.parametrize("updated", ["2020-03-04T12:00:00.000+0000", "2020-03-04T11:20:00.000+0000"])
def test_edit_that_becomes_visible_after_the_watermark_has_passed_it_is_delivered(many: Sources, updated: str) -> None:
    many.replay.setlistfm.setlists[3]["lastUpdated"] = "2020-03-04T12:00:00.900+0000"
    setlistfm.ingest_setlists(FIRST)
    setlistfm.ingest_setlists(SECOND)
    many.replay.setlistfm.setlists[70]["lastUpdated"] = updated
    third = IngestRun("2020-03-06", "third")
    setlistfm.ingest_setlists(third)
    assert f"{70:08x}" in ids(many, third)
    assert many.state.versions("setlistfm")[f"watermark#{MBID}"] == "2020-03-04T12:00:00.900000+00:00"


def test_long_history_is_read_over_several_runs_without_a_gap(many: Sources) -> None:
    many.replay.setlistfm.setlists[0]["lastUpdated"] = "2018-01-01T00:00:00.000+0000"
    assert setlistfm.ingest_setlists(FIRST)["records"] == 100  # PAGES_PER_RUN x 20
    assert setlistfm.ingest_setlists(SECOND)["records"] == 30
    assert sorted(ids(many, FIRST, SECOND)) == [f"{number:08x}" for number in range(130)]
    assert many.state.versions("setlistfm")[f"history#{MBID}"] == setlistfm.COMPLETE


def test_setlist_taken_away_between_two_runs_loses_no_other(many: Sources) -> None:
    setlistfm.ingest_setlists(FIRST)
    del many.replay.setlistfm.setlists[0]
    setlistfm.ingest_setlists(SECOND)
    assert {f"{number:08x}" for number in range(130)} <= {*ids(many, FIRST, SECOND)}


class Moving:
    """Changes the listing before some of its pages are read."""

    def __init__(self, sources: Sources, monkeypatch: pytest.MonkeyPatch, changes: dict[int, Any]) -> None:
        original, self.count = sources.replay.setlistfm.answer, 0

        def answer(request: Request) -> Answer:
            self.count += 1
            if self.count in changes:
                changes[self.count](sources.replay.setlistfm.setlists)
            return original(request)

        monkeypatch.setattr(sources.replay.setlistfm, "answer", answer)


def take_away(setlists: list[Any]) -> None:
    del setlists[0]


def test_setlist_taken_away_while_pages_are_read_loses_no_other(many: Sources, monkeypatch) -> None:
    Moving(many, monkeypatch, {3: take_away})
    setlistfm.ingest_setlists(FIRST)
    assert {f"{number:08x}" for number in range(90)} <= {*ids(many, FIRST)}


def test_setlist_that_comes_in_while_pages_are_read_repeats_one_and_loses_none(many: Sources, monkeypatch) -> None:
    Moving(many, monkeypatch, {3: lambda setlists: setlists.insert(0, setlist(999, "2020-03-04T01:00:00.000+0000"))})
    setlistfm.ingest_setlists(FIRST)
    setlistfm.ingest_setlists(SECOND)  # the watermark finds the newcomer
    assert {f"{number:08x}" for number in (*range(130), 999)} <= {*ids(many, FIRST, SECOND)}


def test_listing_that_keeps_shrinking_fails_in_one_line_and_keeps_what_was_read(many: Sources, monkeypatch) -> None:
    Moving(many, monkeypatch, {3: take_away, 4: take_away})
    with pytest.raises(ListingError, match=r"kept shrinking while read: run the task again$"):
        setlistfm.ingest_setlists(FIRST)
    assert len(ids(many, FIRST)) == 40


def test_last_page_that_vanishes_while_pages_are_read_loses_no_setlist(many: Sources, monkeypatch) -> None:
    many.replay.setlistfm.setlists = many.replay.setlistfm.setlists[:41]
    Moving(many, monkeypatch, {3: take_away})
    setlistfm.ingest_setlists(FIRST)
    assert {f"{number:08x}" for number in range(41)} <= {*ids(many, FIRST)}
    assert many.state.versions("setlistfm")[f"history#{MBID}"] == setlistfm.COMPLETE


def test_artist_without_a_setlist_is_asked_for_again(many: Sources) -> None:
    listed, many.replay.setlistfm.setlists = many.replay.setlistfm.setlists[:3], []
    assert setlistfm.ingest_setlists(FIRST)["records"] == 0
    many.replay.setlistfm.setlists = listed
    assert setlistfm.ingest_setlists(SECOND)["records"] == 3


def test_watermark_stays_when_changes_come_in_while_they_are_read(many: Sources, monkeypatch) -> None:
    setlistfm.ingest_setlists(FIRST)
    setlistfm.ingest_setlists(SECOND)
    before = many.state.versions("setlistfm")[f"watermark#{MBID}"]
    for entry in many.replay.setlistfm.setlists[:30]:
        entry["lastUpdated"] = "2020-03-04T12:00:00.000+0000"
    newcomer = setlist(999, "2020-03-04T12:00:01.000+0000")
    Moving(many, monkeypatch, {2: lambda setlists: setlists.insert(0, newcomer)})
    third = IngestRun("2020-03-06", "third")
    setlistfm.ingest_setlists(third)
    assert many.state.versions("setlistfm")[f"watermark#{MBID}"] == before
    setlistfm.ingest_setlists(IngestRun("2020-03-06", "fourth"))
    assert newcomer["id"] in ids(many, third, IngestRun("2020-03-06", "fourth"))
    assert many.state.versions("setlistfm")[f"watermark#{MBID}"].startswith("2020-03-04T12:00:01")


def test_update_ahead_of_time_does_not_hide_those_to_come(many: Sources) -> None:
    many.replay.setlistfm.setlists[0]["lastUpdated"] = "2999-01-01T00:00:00.000+0000"
    setlistfm.ingest_setlists(FIRST)
    assert many.state.versions("setlistfm")[f"watermark#{MBID}"] < "2100"


def test_watermark_stays_when_the_raw_write_fails(many: Sources) -> None:
    setlistfm.ingest_setlists(FIRST)
    before = deepcopy(many.state.versions("setlistfm"))
    many.replay.setlistfm.setlists[0]["lastUpdated"] = "2020-03-04T12:00:00.000+0000"
    many.bucket.fails_on = "changes"
    with pytest.raises(ConnectionError):
        setlistfm.ingest_setlists(SECOND)
    assert many.state.versions("setlistfm") == before
    many.bucket.fails_on = None
    setlistfm.ingest_setlists(SECOND)
    assert f"{0:08x}" in ids(many, SECOND)


def test_watermark_stays_when_the_manifest_cannot_be_written(many: Sources) -> None:
    many.bucket.fails_on = "manifest.json"
    with pytest.raises(ConnectionError):
        setlistfm.ingest_setlists(FIRST)
    assert many.state.versions("setlistfm") == {}


def test_artist_that_cannot_be_read_holds_up_no_other_and_follows(sources: Sources) -> None:
    sources.watch(BABYMETAL, FOTOS)
    original = sources.replay.setlistfm.answer

    def answer(request: Request) -> Answer:
        return Answer(500, {}) if MBID in request.path else original(request)

    sources.replay.setlistfm.answer = answer  # type: ignore[method-assign]
    with pytest.raises(UnavailableError, match=f"setlists of {MBID}, page 1: 500"):
        setlistfm.ingest_setlists(FIRST)
    assert len(ids(sources, FIRST)) == 1
    sources.replay.setlistfm.answer = original  # type: ignore[method-assign]
    setlistfm.ingest_setlists(FIRST)  # the cleared task
    assert len(ids(sources, FIRST)) == 6


def test_refused_key_fails_at_once(sources: Sources) -> None:
    sources.watch(BABYMETAL)
    sources.replay.setlistfm._key = "another"
    with pytest.raises(SourceKeyError, match=r"403 Forbidden: put a valid key into secret .*/sources/setlistfm$"):
        setlistfm.ingest_artists(FIRST)
    assert len(sources.requests) == 1


def test_truncated_page_is_read_again(sources: Sources) -> None:
    sources.watch(BABYMETAL)
    order(sources.replay, "cut", api="setlistfm")
    assert setlistfm.ingest_setlists(FIRST)["records"] == 5
    assert len(sources.waits) == 1


def test_429_without_a_hint_is_waited_out_with_growing_waits(sources: Sources) -> None:
    sources.watch(BABYMETAL)
    order(sources.replay, 429, 429, api="setlistfm")
    setlistfm.ingest_artists(FIRST)
    assert 0.5 <= sources.waits[0] <= 1 <= sources.waits[1] <= 2


def test_requests_keep_the_documented_distance(sources: Sources, monkeypatch) -> None:
    clock = [100.0]

    def sleep(seconds: float) -> None:
        sources.waits.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(client_module.time, "monotonic", lambda: clock[0])
    made = setlistfm.api_client()
    made.api, made._sleep = setlistfm.API, sleep
    monkeypatch.setattr(setlistfm, "api_client", lambda: made)
    sources.watch(BABYMETAL, FOTOS, UNKNOWN)
    setlistfm.ingest_artists(FIRST)
    assert sources.waits == pytest.approx([setlistfm.API.interval] * 2)
    assert 1 / setlistfm.API.interval <= 2


def test_watched_venues_are_read_and_the_rest_of_many_left_for_the_next_run(sources: Sources, monkeypatch) -> None:
    monkeypatch.setattr(setlistfm, "VENUES_PER_RUN", 2)
    sources.watch(venues=({"name": "Kulturfabrik", "setlistfm_id": "3bd61ca8"},))
    assert setlistfm.ingest_venues(FIRST)["records"] == 1
    sources.watch(BABYMETAL)
    setlistfm.ingest_setlists(FIRST)
    assert setlistfm.ingest_venues(FIRST)["left"] == 1
    assert setlistfm.ingest_venues(SECOND) == {
        "source": "setlistfm", "entity": "venue", "files": 1, "records": 1, "left": 0,
    }  # fmt: skip


def test_venues_that_the_api_refuses_block_none_behind_them(sources: Sources, monkeypatch) -> None:
    monkeypatch.setattr(setlistfm, "VENUES_PER_RUN", 2)
    refused = tuple({"name": f"refused {number}", "setlistfm_id": f"0000000{number}"} for number in range(4))
    sources.watch(venues=(*refused, {"name": "Kulturfabrik", "setlistfm_id": "3bd61ca8"}))
    answer = sources.replay.answer

    def refuse_some(request: Request) -> Answer:
        return Answer(400, {"message": "bad id"}) if "/venue/0000000" in request.path else answer(request)

    monkeypatch.setattr(sources.replay, "answer", refuse_some)
    read: list[str] = []
    for number in range(20):
        run = IngestRun("2020-03-04", f"run-{number}")
        with suppress(RefusedError):
            setlistfm.ingest_venues(run)
        read += [record["id"] for record in sources.records("setlistfm", "venue", run)]
    assert read == ["3bd61ca8"]
