"""Quirks of the APIs: none of them stops a page, and a record that fits nothing is left to curation."""

import logging
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from concert_platform.sources.responses import (
    Event,
    Listing,
    Setlist,
    SetlistfmArtist,
    SetlistPage,
    SpotifyArtist,
    SpotifySearch,
)


def test_empty_page_of_ticketmaster_has_no_embedded_part() -> None:
    page = Listing.model_validate({"page": {"totalElements": 0, "totalPages": 0, "number": 1}})
    assert page.embedded.events == []


def test_event_without_venue_and_attraction_fits() -> None:
    assert Event.model_validate({"id": "a", "dates": {"start": {"timeTBA": True}}}).embedded.venues == []


def test_record_that_fits_nothing_is_counted_and_the_others_are_kept(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        found = list(Event.each([{"id": "a"}, {"name": "without an id"}, "text", None]))
    assert [event.id for event in found] == ["a"]
    assert "3 records do not look like a Event" in caplog.text


def test_page_without_its_totals_is_broken() -> None:
    with pytest.raises(ValidationError):
        Listing.model_validate({"_embedded": {"events": []}})


@pytest.mark.parametrize("embedded", [None, {}, {"events": None, "attractions": None, "venues": None}])
def test_null_where_a_page_has_its_records_is_an_empty_page(embedded: dict | None) -> None:
    page = Listing.model_validate({"_embedded": embedded, "page": {"totalElements": 0, "totalPages": 0}})
    assert (page.embedded.events, page.embedded.attractions, page.embedded.venues) == ([], [], [])


@pytest.mark.parametrize("embedded", [None, {"venues": None, "attractions": None}])
def test_event_may_have_null_for_its_parts(embedded: dict | None) -> None:
    assert Event.model_validate({"id": "a", "_embedded": embedded}).embedded.venues == []


@pytest.mark.parametrize(
    "fields", [{}, {"genres": [None], "popularity": 50.5, "followers": []}, {"genres": "rock", "name": 7}]
)
def test_artist_needs_no_more_than_an_id(fields: dict) -> None:
    assert SpotifyArtist.model_validate({"id": "a", **fields}).id == "a"
    assert SetlistfmArtist.model_validate({"mbid": "a", **fields}).mbid == "a"


def test_spotify_search_without_a_result_is_an_empty_list() -> None:
    assert SpotifySearch.model_validate({"artists": {"items": [], "next": None}}).artists.items == []


def test_setlist_may_lack_everything_but_its_id() -> None:
    assert Setlist.model_validate({"id": "a"}).last_updated is None


def test_setlist_may_have_null_for_its_venue() -> None:
    assert Setlist.model_validate({"id": "a", "venue": None}).venue.id is None


def test_moment_without_an_offset_is_left_to_curation() -> None:
    assert list(Setlist.each([{"id": "a", "lastUpdated": "2017-09-27T11:25:45"}])) == []


def test_moment_of_setlistfm_has_an_offset_without_a_colon() -> None:
    setlist = Setlist.model_validate({"id": "a", "lastUpdated": "2017-09-27T11:25:45.012+0000", "sets": {}})
    assert setlist.last_updated == datetime(2017, 9, 27, 11, 25, 45, 12_000, tzinfo=UTC)


def test_setlist_page_needs_a_page_size() -> None:
    with pytest.raises(ValidationError):
        SetlistPage.model_validate({"setlist": [], "total": 1, "page": 1, "itemsPerPage": 0})
