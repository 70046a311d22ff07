"""Whatever one payload of the manifest holds, the replay server starts, says so, and serves the others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.replay.answers import Answer, Request
from local.replay.payloads import PayloadError
from local.replay.server import ReplayServer

KEY = "a-key-of-tests"
EVENTS, ATTRACTIONS = "GET /discovery/v2/events", "GET /discovery/v2/attractions"
SETLISTS, SEARCH = "GET /rest/1.0/artist/{mbid}/setlists", "GET /rest/1.0/search/setlists"
MBID, SPOTIFY_ID = "27e2997f-f7a1-4353-bcc4-57b9274fa9a4", "3EhbVgyfGd7HkpsagwL9GX"
EVENT = {"id": "one", "name": "One", "_embedded": {"venues": [{"id": "hall", "name": "Hall"}]}}
SETLIST = {
    "id": "a", "eventDate": "23-08-1964", "lastUpdated": "2013-10-20T05:18:08.000+0000",
    "artist": {"mbid": MBID, "name": "B"}, "venue": {"id": "6b", "name": "Hall"},
}  # fmt: skip


class Served:
    """Replay servers over payloads that are written for them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.servers = folder, []
        (folder / "api_payloads").mkdir()

    def __call__(self, *payloads: tuple[str, str, Any]) -> ReplayServer:
        """A server of payloads; each is API, endpoint and body."""
        lines = ["file,api,endpoint,http_status"]
        for number, (api, endpoint, body) in enumerate(payloads):
            (self.folder / f"api_payloads/{number}.json").write_text(json.dumps(body))
            lines.append(f"{number}.json,{api},{endpoint},200")
        (self.folder / "api_payloads/manifest.csv").write_text("\n".join(lines))
        self.servers.append(ReplayServer(port=0, samples=self.folder, state_dir=self.folder, key=KEY))
        return self.servers[-1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    for server in made.servers:
        server.server_close()


def get(server: ReplayServer, path: str, **query: str) -> Answer:
    headers = {"x-api-key": KEY}
    if path.startswith("/v1/"):
        token = server.spotify._token(
            Request("POST", "/api/token", {}, {"authorization": server.spotify._basic},
                    {"grant_type": "client_credentials"})
        )  # fmt: skip
        headers["authorization"] = f"Bearer {token.body['access_token']}"
    return server.answer(Request("GET", path, {"apikey": KEY, **query}, headers))


def page(*events: Any) -> dict[str, Any]:
    return {"_embedded": {"events": list(events)}}


def setlists(*entries: Any) -> dict[str, Any]:
    return {"type": "setlists", "itemsPerPage": 20, "page": 1, "total": len(entries), "setlist": list(entries)}


# ---------------------------------------------------------------- Ticketmaster
@pytest.mark.parametrize("body", [{}, {"_embedded": None}, {"_embedded": {"events": None}}, None])
def test_page_without_records_is_empty(served: Served, body: Any) -> None:
    server = served(("ticketmaster", EVENTS, body), ("ticketmaster", EVENTS, page(EVENT)))
    assert server.ticketmaster.events == [EVENT]


@pytest.mark.parametrize("odd", [
    None, "text", 7, [], {}, {"name": "without an id"}, {**EVENT, "id": ["x"]}, {**EVENT, "_embedded": None},
    {**EVENT, "_embedded": {"venues": None, "attractions": {}}}, {**EVENT, "_embedded": {"venues": [None, "x", {}]}},
])  # fmt: skip
def test_odd_event_is_served_as_it_is(served: Served, odd: Any) -> None:
    server = served(("ticketmaster", EVENTS, page(odd, EVENT)))
    answer = get(server, "/discovery/v2/events.json")
    assert answer.body["_embedded"]["events"] == [odd, EVENT]
    assert get(server, "/discovery/v2/venues/hall.json").body == {"id": "hall", "name": "Hall"}


def test_bare_list_of_events_is_served_as_a_page_of_them(served: Served) -> None:
    assert served(("ticketmaster", EVENTS, [EVENT])).ticketmaster.events == [EVENT]


@pytest.mark.parametrize("body", [{"_embedded": {"events": {"id": "one"}}}, {"_embedded": "text"}, 7])
def test_page_that_is_none_is_left_out_and_named(served: Served, body: Any, caplog) -> None:
    server = served(("ticketmaster", EVENTS, body), ("ticketmaster", EVENTS, page(EVENT)))
    assert server.ticketmaster.events == [EVENT]
    assert caplog.messages == ["0.json is left out: its _embedded.events is no list"]


def test_attraction_without_an_id_is_listed(served: Served) -> None:
    server = served(("ticketmaster", ATTRACTIONS, {"_embedded": {"attractions": [{"name": "A"}, {"id": "b"}]}}))
    assert get(server, "/discovery/v2/attractions.json").body["_embedded"]["attractions"] == [
        {"id": "b"},
        {"name": "A"},
    ]


def test_detail_without_an_id_has_that_of_its_endpoint(served: Served, caplog) -> None:
    server = served(
        ("ticketmaster", "GET /discovery/v2/events/here", {"name": "H"}),
        ("ticketmaster", "GET /discovery/v2/events/{id}", {"name": "nowhere"}),
    )
    assert get(server, "/discovery/v2/events/here.json").body == {"name": "H"}
    assert caplog.messages == ["1.json is left out: neither it nor its endpoint has an id, so nobody can ask for it"]


# ---------------------------------------------------------------- Spotify
def test_odd_artists_of_spotify_are_served_as_they_are(served: Served) -> None:
    nameless = {"type": "artist", "id": SPOTIFY_ID, "name": None}
    others = [{"type": "artist", "id": odd, "name": "x"} for odd in (None, 7, ["x"])]
    server = served(
        ("spotify", "GET /v1/artists/{id}", nameless),
        ("spotify", "GET /v1/search?type=artist", {"artists": {"items": [None, *others]}}),
        ("spotify", "GET /v1/artists/0oSGxfWSnnOXhD2fKuz2Gy", {"name": "without an id"}),
    )
    assert get(server, f"/v1/artists/{SPOTIFY_ID}").body == nameless
    assert get(server, "/v1/artists/0oSGxfWSnnOXhD2fKuz2Gy").body == {"name": "without an id"}


# ---------------------------------------------------------------- setlist.fm
@pytest.mark.parametrize("odd", [
    None, "text", {}, {**SETLIST, "id": None}, {**SETLIST, "id": "b", "eventDate": None}, {**SETLIST, "id": ["x"]},
    {**SETLIST, "id": "b", "artist": None}, {**SETLIST, "id": "b", "artist": {"name": "without an mbid"}},
    {**SETLIST, "id": "b", "artist": {"mbid": ["x"]}}, {**SETLIST, "id": "b", "venue": None}, {"id": "b"},
    {**SETLIST, "id": "b", "sets": None},
])  # fmt: skip
def test_odd_setlist_is_served_with_those_of_its_artist(served: Served, odd: Any) -> None:
    server = served(("setlistfm", SETLISTS, setlists(SETLIST, odd)))
    listed = get(server, f"/rest/1.0/artist/{MBID}/setlists", p="1").body
    assert listed["total"] == 2
    assert odd in listed["setlist"]


def test_setlist_that_no_page_gives_an_artist_is_named(served: Served, caplog) -> None:
    server = served(("setlistfm", SEARCH, setlists({**SETLIST, "artist": None})))
    assert get(server, "/rest/1.0/search/setlists").body["total"] == 1
    assert caplog.messages == ["0.json holds a setlist without an artist's mbid: only a search finds it"]


def test_venue_that_has_no_more_than_an_id_is_found(served: Served) -> None:
    server = served(("setlistfm", "GET /rest/1.0/venue/{id}", {"id": "6c", "name": None}))
    assert get(server, "/rest/1.0/venue/6c").body == {"id": "6c", "name": None}


# ---------------------------------------------------------------- filters and searches
@pytest.mark.parametrize("name", [None, 7, ["x"]])
def test_record_with_an_odd_name_is_listed_and_hides_no_other(served: Served, name: Any) -> None:
    odd, artist = {**EVENT, "id": "two", "name": name}, {"type": "artist", "id": SPOTIFY_ID, "name": name}
    server = served(
        ("ticketmaster", EVENTS, page(odd, EVENT)), ("spotify", "GET /v1/artists/{id}", artist),
        ("setlistfm", "GET /rest/1.0/artist/{mbid}", {"mbid": MBID, "name": name}),
    )  # fmt: skip
    assert get(server, "/discovery/v2/events.json").body["_embedded"]["events"] == [odd, EVENT]
    assert get(server, "/discovery/v2/events.json", keyword="one").body["_embedded"]["events"] == [EVENT]
    assert get(server, "/v1/search", type="artist", q="bowie").body["artists"]["total"] == 0
    assert get(server, "/rest/1.0/search/artists", artistName="b").status == 404


@pytest.mark.parametrize("odd", [
    {**SETLIST, "id": "b", "lastUpdated": None}, {**SETLIST, "id": "b", "lastUpdated": "2013-10-20T05:18:08"},
    {**SETLIST, "id": "b", "venue": None, "lastUpdated": "long ago"}, {"id": "b", "artist": {"mbid": MBID}}, "text",
])  # fmt: skip
def test_search_passes_over_a_setlist_that_tells_no_update(served: Served, odd: Any) -> None:
    server = served(("setlistfm", SETLISTS, setlists(SETLIST, odd)))
    query = {"artistMbid": MBID, "lastUpdated": "20100101000000"}
    assert get(server, "/rest/1.0/search/setlists", **query).body["setlist"] == [SETLIST]
    assert get(server, "/rest/1.0/search/setlists", artistName="b", venueName="hall", date="23-08-1964").status == 200


def test_half_a_surrogate_pair_is_sent_as_it_was_recorded(served: Served) -> None:
    server = served(("ticketmaster", EVENTS, page({**EVENT, "name": "\ud83c"})))
    assert b'"\\ud83c"' in get(server, "/discovery/v2/events.json").content()


def test_what_nobody_thought_of_is_a_500_with_one_line_without_the_key(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = served()
    monkeypatch.setattr(server.setlistfm, "setlists", object())
    assert get(server, "/rest/1.0/search/setlists").status == 500
    (line,) = caplog.messages
    assert line.startswith("GET /rest/1.0/search/setlists is answered with 500: TypeError: ")
    assert KEY not in line
    assert get(server, "/discovery/v2/events.json").status == 200


# ---------------------------------------------------------------- manifest
@pytest.mark.parametrize("line", ["x.json", "x.json,ticketmaster", "x.json,ticketmaster,any,many"])
def test_line_of_the_manifest_that_is_cut_off_is_one_error(served: Served, tmp_path: Path, line: str) -> None:
    (tmp_path / "api_payloads/x.json").write_text("{}")
    (tmp_path / "api_payloads/manifest.csv").write_text(f"file,api,endpoint,http_status\n{line}\n")
    with pytest.raises(PayloadError, match=r"manifest\.csv cannot be used: .*each line needs file, api, endpoint"):
        ReplayServer(port=0, samples=tmp_path, state_dir=tmp_path, key=KEY)


def test_file_with_a_byte_order_mark_is_read(served: Served, tmp_path: Path) -> None:
    served(("ticketmaster", EVENTS, page(EVENT)))
    (tmp_path / "api_payloads/0.json").write_text("\ufeff" + json.dumps(page(EVENT)))
    with ReplayServer(port=0, samples=tmp_path, state_dir=tmp_path, key=KEY) as server:
        assert server.ticketmaster.events == [EVENT]


def test_deeply_nested_record_is_served(served: Served) -> None:
    nested: Any = []
    for _ in range(700):
        nested = [nested]
    event = {**EVENT, "nested": nested}
    server = served(("ticketmaster", EVENTS, page(event)), ("setlistfm", SEARCH, setlists({**SETLIST, "n": nested})))
    assert server.ticketmaster.events == [event]
