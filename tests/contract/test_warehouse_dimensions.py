"""Artists, venues, setlists and matches in core: records, type-2 versions, late arrivals, and loads side by side."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from concert_platform import warehouse
from concert_platform.partitions import Partition
from tests.contract.curated_runs import (
    DAY,
    FIRST,
    NEXT_DAY,
    SECOND,
    T2,
    Platform,
    artist,
    event,
    interaction,
    match,
    report,
    song,
    venue,
)
from tests.contract.warehouse_platform import accounts, counts, violations
from tests.faults.warehouse_checksums import checksums

pytest_plugins = ["tests.contract.warehouse_platform"]


def versions(artist_id: str = "a1") -> list[list[Any]]:
    return warehouse.query(
        "SELECT artist_key, name, spotify_id, followers, is_inferred, is_current FROM core.dim_artist "
        "WHERE artist_id = :artist_id ORDER BY artist_key", artist_id=artist_id,
    )  # fmt: skip


def test_a_record_completes_the_member_that_a_fact_had_inferred_in_place(loaded: Platform) -> None:
    [[key, *inferred]] = versions()
    assert inferred == ["Björk", None, None, True, True]
    loaded.curate(SECOND, NEXT_DAY, artist=[artist(1, followers=7, ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    assert versions() == [[key, "Björk", "sp1", 7, False, True]]
    assert violations("artist_version") == 0


def test_a_later_change_is_a_new_version_and_a_reload_changes_nothing(empty: Platform) -> None:
    empty.curate(artist=[artist(1, followers=7)])
    empty.load()
    empty.curate(SECOND, NEXT_DAY, artist=[artist(1, followers=9, ingested_at=T2)])
    empty.load(SECOND, NEXT_DAY)
    found = [row[1:] for row in versions()]
    assert found == [["Björk", "sp1", 7, False, False], ["Björk", "sp1", 9, False, True]]
    empty.load()
    empty.load(SECOND, NEXT_DAY)
    assert [row[1:] for row in versions()] == found


def test_what_a_later_record_leaves_out_stays(empty: Platform) -> None:
    empty.curate(artist=[artist(1, musicbrainz_id="mb1", genres="pop; rock", popularity=80, followers=7)])
    empty.load()
    empty.curate(SECOND, NEXT_DAY, artist=[artist(1, spotify_id=None, ingested_at=T2)])
    empty.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT musicbrainz_id, spotify_id, genres, popularity, followers, updated_run_id FROM core.artist_record"
    ) == [["mb1", "sp1", "pop; rock", 80, 7, SECOND]]
    assert len(versions()) == 1


def test_an_artist_is_made_of_the_records_of_all_sources(empty: Platform) -> None:
    ticketmaster = artist(1, source="ticketmaster", source_artist_id="tm1", name="Bjork", spotify_id=None,
                          ticketmaster_id="tm1")  # fmt: skip
    setlistfm = artist(1, source="setlistfm", source_artist_id="mb1", name="Björk", spotify_id=None,
                       musicbrainz_id="mb1")  # fmt: skip
    empty.curate(artist=[ticketmaster, setlistfm, artist(1, name="BJORK", followers=7)])
    empty.load()
    assert warehouse.query(
        "SELECT name, musicbrainz_id, spotify_id, ticketmaster_id, followers FROM core.dim_artist"
    ) == [["Björk", "mb1", "sp1", "tm1", 7]]
    assert accounts() == {(source, "artist"): [1, 1, 0, 0] for source in ("setlistfm", "spotify", "ticketmaster")}


def test_a_fact_does_not_rename_an_artist_or_venue_that_has_a_record(empty: Platform) -> None:
    empty.curate(artist=[artist(1)], venue=[venue(1)])
    empty.load()
    empty.curate(SECOND, NEXT_DAY, event=[event(1, artist="BJÖRK!", venue="hall 1", ingested_at=T2)])
    empty.load(SECOND, NEXT_DAY)
    assert [row[1] for row in versions()] == ["Björk"]
    assert warehouse.query("SELECT name, latitude, timezone, is_inferred FROM core.dim_venue") == [
        ["Hall One", 59.9, "Europe/Oslo", False]
    ]


@pytest.mark.parametrize("run, day", [(FIRST, DAY), (SECOND, NEXT_DAY)])
def test_an_artist_whose_only_record_is_another_ones_now_is_inferred_again(
    loaded: Platform, run: str, day: str
) -> None:
    loaded.curate("run-0", DAY, artist=[artist(1, musicbrainz_id="mb1", followers=7)])
    loaded.load("run-0", DAY)
    [[key, *_]] = versions()
    loaded.curate(run, day, artist=[artist(1, artist_id="a9", followers=8, ingested_at=T2)])
    for _ in range(2):
        loaded.load(run, day)
        assert versions() == [[key, "Björk", None, None, True, True]]
        assert [row[1:] for row in versions("a9")] == [["Björk", "sp1", 8, False, True]]
    assert violations("artist_version") == violations("event_dimension") == 0


def test_an_artist_who_loses_one_of_two_records_is_made_of_the_other(empty: Platform) -> None:
    other = artist(
        1, source="ticketmaster", source_artist_id="tm1", name="Bjork", spotify_id=None, ticketmaster_id="tm1"
    )
    empty.curate(artist=[artist(1), other])
    empty.load()
    empty.curate(SECOND, NEXT_DAY, artist=[artist(1, artist_id="a9", ingested_at=T2)])
    empty.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT artist_id, name, spotify_id, ticketmaster_id, is_inferred FROM core.dim_artist ORDER BY 1"
    ) == [["a1", "Bjork", None, "tm1", False], ["a9", "Björk", "sp1", None, False]]


def test_a_record_that_comes_back_completes_the_artist_and_the_venue_again(empty: Platform) -> None:
    asked = [f"SELECT * FROM core.dim_{kind} ORDER BY 1" for kind in ("artist", "venue")]
    empty.curate(artist=[artist(1)], venue=[venue(1)], event=[event(1)])
    empty.load()
    before = [warehouse.query(sql) for sql in asked]
    empty.curate(event=[event(1)])
    empty.load()
    assert [warehouse.query(sql) for sql in asked] != before
    empty.curate(artist=[artist(1)], venue=[venue(1)], event=[event(1)])
    empty.load()
    assert [warehouse.query(sql) for sql in asked] == before


def test_a_venue_that_has_lost_its_records_is_inferred_again_and_keeps_its_seats(loaded: Platform) -> None:
    loaded.curate(SECOND, NEXT_DAY, venue=[venue(1, name="The Hall", ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    loaded.curate(SECOND, NEXT_DAY, venue=[venue(1, venue_id="v9", ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    asked = (
        "SELECT name, seats, latitude, timezone, is_inferred FROM core.dim_venue WHERE venue_id = :id AND is_current"
    )
    assert warehouse.query(asked, id="v1") == [["The Hall", 1000, None, None, True]]
    assert warehouse.query(asked, id="v9") == [["Hall One", None, 59.9, "Europe/Oslo", False]]
    assert violations("venue_version") == violations("event_dimension") == 0


def test_a_venue_that_loses_the_record_of_its_place_has_none(empty: Platform) -> None:
    other = venue(1, source="setlistfm", source_venue_id="sl1", latitude=None, longitude=None, timezone=None)
    empty.curate(venue=[venue(1), other])
    empty.load()
    empty.curate(venue=[other], rejected=1)
    empty.load()
    assert warehouse.query("SELECT name, latitude, longitude, is_inferred FROM core.dim_venue") == [
        ["Hall One", None, None, False]
    ]


def test_a_venue_record_completes_the_inferred_venue_and_keeps_its_seats(loaded: Platform) -> None:
    loaded.curate(SECOND, NEXT_DAY, venue=[venue(1, ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT name, seats, latitude, is_inferred, is_current FROM core.dim_venue WHERE venue_id = 'v1'"
    ) == [["Hall One", 1000, 59.9, False, True]]
    assert violations("venue_version") == 0


def test_accounts_count_setlists_and_a_newer_one_replaces_the_whole(empty: Platform) -> None:
    empty.curate(setlist=[song("s1", 1), song("s1", 2), song("s1", 3), song("s2", 0)])
    empty.load()
    assert accounts() == {("setlistfm", "setlist"): [2, 2, 0, 0]}
    empty.curate(SECOND, NEXT_DAY, setlist=[song("s1", 1, song="Other", ingested_at=T2), song("s3", 1)])
    empty.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT setlist_id, song_position, song, created_run_id, updated_run_id FROM core.fact_setlist ORDER BY 1, 2"
    ) == [["s1", 1, "Other", FIRST, SECOND], ["s2", 0, None, FIRST, FIRST], ["s3", 1, "Song 1", SECOND, SECOND]]
    assert accounts() == {("setlistfm", "setlist"): [4, 3, 0, 1]}
    empty.load()
    empty.load(SECOND, NEXT_DAY)
    assert accounts() == {("setlistfm", "setlist"): [4, 3, 0, 1]}
    assert violations("account_open") == violations("setlist_dimension") == 0


def test_a_setlist_that_a_run_no_longer_delivers_is_taken_out(empty: Platform) -> None:
    empty.curate(setlist=[song("s1", 1), song("s1", 2), song("s2", 1)])
    empty.load()
    empty.curate(rejected=1, setlist=[song("s2", 1)])
    empty.load()
    assert warehouse.query("SELECT setlist_id FROM core.fact_setlist") == [["s2"]]
    assert accounts() == {("setlistfm", "setlist"): [2, 1, 1, 0]}


def test_the_match_of_the_newest_day_wins_whatever_is_loaded_last(empty: Platform) -> None:
    empty.curate(SECOND, NEXT_DAY, artist=[artist(1)], identity_match=[match(1, rule="name", score=0.9)])
    empty.load(SECOND, NEXT_DAY)
    empty.curate(artist=[artist(1)], identity_match=[match(1), match(2, status="review", score=0.4)])
    for _ in range(2):
        empty.load()
    assert warehouse.query("SELECT source_id, rule, status, run_id FROM core.identity_match ORDER BY source_id") == [
        ["sp1", "name", "matched", SECOND], ["sp2", "musicbrainz_id", "review", FIRST]]  # fmt: skip
    assert violations("identity_match_duplicate") == 0


MATCHES = "SELECT source_id, rule, run_id FROM core.identity_match ORDER BY source_id"


def test_a_match_that_its_run_withdraws_yields_to_the_newest_of_the_other_runs(empty: Platform) -> None:
    third, fourth = "run-3", "run-4"
    for run, day, rule in (
        (SECOND, DAY, "newest"), (FIRST, DAY, "new"), (third, "2020-03-01", "old"), (fourth, NEXT_DAY, "withdrawn"),
    ):  # fmt: skip
        empty.curate(run, day, artist=[artist(1)], identity_match=[match(1, rule=rule)])
        empty.load(run, day)
    assert warehouse.query(MATCHES) == [["sp1", "withdrawn", fourth]]
    empty.curate(fourth, NEXT_DAY, artist=[artist(2)], identity_match=[match(2, rule="other")])
    for _ in range(2):
        empty.load(fourth, NEXT_DAY)
        assert warehouse.query(MATCHES) == [["sp1", "newest", SECOND], ["sp2", "other", fourth]]
    empty.curate(SECOND, DAY, artist=[artist(1)], identity_match=[])
    empty.load(SECOND, DAY)
    assert warehouse.query(MATCHES) == [["sp1", "new", FIRST], ["sp2", "other", fourth]]
    assert violations("identity_match_duplicate") == 0


def test_a_match_that_its_only_run_withdraws_is_gone(empty: Platform) -> None:
    empty.curate(artist=[artist(1)], identity_match=[match(1), match(2)])
    empty.load()
    empty.curate(artist=[artist(1)], identity_match=[match(1)])
    empty.load()
    assert warehouse.query(MATCHES) == [["sp1", "musicbrainz_id", FIRST]]
    assert warehouse.query("SELECT COUNT(*) FROM core.identity_match_delivery") == [[1]]


def test_matches_that_were_there_before_deliveries_were_kept_are_among_them(empty: Platform) -> None:
    empty.curate(artist=[artist(1)], identity_match=[match(1), match(2)])
    empty.load()
    kept = warehouse.query("SELECT * FROM core.identity_match_delivery ORDER BY source_id")
    warehouse.execute_batch(
        [
            "DROP TABLE core.identity_match_delivery",
            "DELETE FROM quality.schema_version WHERE name LIKE 'core_identity_match_delivery%'",
        ]
    )
    assert len(warehouse.migrate()) == 2
    assert warehouse.query("SELECT * FROM core.identity_match_delivery ORDER BY source_id") == kept != []


# ---------------------------------------------------------------- side by side


def test_two_runs_of_one_day_at_once_lose_nothing_and_count_nothing_twice(empty: Platform) -> None:
    """Half of the keys are in both runs; each transaction of both is sent at once."""
    for run, numbers in ((FIRST, range(1, 21)), (SECOND, range(11, 31))):
        empty.curate(
            run, DAY, event=[event(1, event_id=f"e{number}") for number in numbers],
            box_office=[report(1, report_id=f"r{number}") for number in numbers],
            interaction=[interaction(number) for number in numbers],
        )  # fmt: skip
    planned = [warehouse.transactions(values) for values in warehouse.loads_of([Partition(DAY)])]
    batches = [statements for one in planned for statements in one.entities.values()]
    with ThreadPoolExecutor(len(batches)) as threads:
        list(threads.map(warehouse.execute_batch, batches))
        list(threads.map(warehouse.execute_batch, [one.closing for one in planned]))
    found = counts()
    assert {name: found[f"core.{name}"] for name in ("fact_event", "fact_box_office", "fact_interaction")} == {
        "fact_event": 30, "fact_box_office": 30, "fact_interaction": 30}  # fmt: skip
    assert (found["core.dim_artist"], found["core.dim_venue"]) == (2, 1)
    for check in ("account_open", "event_duplicate", "box_office_duplicate", "interaction_duplicate", "artist_version"):
        assert violations(check) == 0


def test_a_day_that_is_loaded_again_and_again_has_the_same_checksums(loaded: Platform, warehouse_dsn: str) -> None:
    def found() -> list[Any]:
        keys = warehouse.query("SELECT * FROM core.dim_venue ORDER BY venue_key"), versions(), versions("a2")
        return [checksums(warehouse_dsn), *keys]

    before = found()
    assert before[0]["core.fact_event"][0] == 3
    for _ in range(2):
        loaded.load()
        assert found() == before


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_seats_of_a_venue_of_tours_are_the_newest_reports_in_whichever_order_they_are_loaded(
    empty: Platform, order: tuple[str, str]
) -> None:
    tour = {"period_start": None, "period_end": None, "period_precision": "tour"}
    empty.curate(FIRST, DAY, box_office=[report(1, capacity=2400, **tour)])
    empty.curate(SECOND, NEXT_DAY, box_office=[report(2, capacity=3000, **tour, ingested_at=T2)])
    for run in (*order, *order):
        empty.load(run, {FIRST: DAY, SECOND: NEXT_DAY}[run])
    assert warehouse.query("SELECT seats FROM core.dim_venue WHERE is_current") == [[1500]]
    assert violations("venue_version") == 0


@pytest.mark.parametrize("order", [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_seats_of_a_dated_report_go_before_those_of_a_tour(empty: Platform, order: tuple[str, str]) -> None:
    empty.curate(FIRST, DAY, box_office=[report(1, capacity=2400)])
    empty.curate(SECOND, NEXT_DAY, box_office=[report(2, capacity=3000, period_end=None, ingested_at=T2)])
    for run in order:
        empty.load(run, {FIRST: DAY, SECOND: NEXT_DAY}[run])
    assert warehouse.query("SELECT seats FROM core.dim_venue WHERE is_current") == [[1200]]
