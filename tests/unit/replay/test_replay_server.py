"""The replay server answers as the Ticketmaster Discovery API v2, Spotify and setlist.fm do."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from concert_platform.settings import SOURCE_URLS
from local.platform import services
from local.replay import pacing
from local.replay.server import ReplayServer

REPOSITORY = Path(__file__).parents[3]
SAMPLES = REPOSITORY / "samples"
KEY = "a-key-of-tests"
EVENTS = "/discovery/v2/events.json"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReplayServer]:
    running = ReplayServer(port=0, samples=SAMPLES, state_dir=tmp_path, key=KEY)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def get(
    server: ReplayServer, path: str = EVENTS, session: requests.Session | None = None, **query: object
) -> requests.Response:
    url = f"http://127.0.0.1:{server.server_port}{path}"
    return (session or requests).get(url, params={"apikey": KEY, **query}, timeout=60)


def test_pages_hold_every_recorded_event_once(server: ReplayServer) -> None:
    pages = [get(server, size=15, page=number).json() for number in range(3)]
    assert [len(page["_embedded"]["events"]) for page in pages] == [15, 15, 10]
    assert len({event["id"] for page in pages for event in page["_embedded"]["events"]}) == 40
    assert pages[2]["page"] == {"size": 15, "totalElements": 40, "totalPages": 3, "number": 2}


def test_events_are_sorted_by_id_on_request_and_those_without_one_come_last(server: ReplayServer) -> None:
    server.ticketmaster.events = [{"name": "Bare"}, {"id": "b"}, {"id": 7}, {"id": "a"}]
    events = get(server, sort="id,asc").json()["_embedded"]["events"]
    assert events == [{"id": "a"}, {"id": "b"}, {"name": "Bare"}, {"id": 7}]
    assert get(server).json()["_embedded"]["events"] == server.ticketmaster.events


def test_links_are_relative_and_without_the_key(server: ReplayServer) -> None:
    links = get(server, page=0, keyword="eagles", size=5).json()["_links"]
    assert links["next"]["href"] == "/discovery/v2/events.json?keyword=eagles&page=1&size=5"
    assert KEY not in json.dumps(links)


def test_page_after_the_last_one_has_no_embedded_part(server: ReplayServer) -> None:
    body = get(server, page=2).json()
    assert "_embedded" not in body
    assert body["page"]["totalElements"] == 40


def test_size_is_twenty_by_default(server: ReplayServer) -> None:
    assert get(server, "/discovery/v2/events").json()["page"]["size"] == 20


def test_paging_deeper_than_a_thousand_events_is_refused(server: ReplayServer) -> None:
    answer = get(server, page=5, size=200)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIS1035")


# ---------------------------------------------------------------- spans of time
def listed(server: ReplayServer, session: requests.Session | None = None, **query: str) -> int:
    return get(server, session=session, **query).json()["page"]["totalElements"]


def test_both_ends_of_a_span_count_in(server: ReplayServer) -> None:
    first, last = "2020-03-06T00:00:00Z", "2020-03-07T02:00:00Z"  # the first two events
    assert listed(server, startDateTime="2020-03-04T00:00:00Z", endDateTime=last) == 2
    assert listed(server, startDateTime=first, endDateTime="2020-03-06T00:00:01Z") == 1
    assert listed(server, endDateTime="2020-03-05T23:59:59Z") == 0
    assert listed(server, endDateTime=first) == 1
    assert listed(server, endDateTime=last) == 2


@pytest.mark.parametrize(
    "moment", ["2020-03-04", "2020-03-04T00:00:00.000Z", "2020-03-04T00:00:00", "9999-12-31T23:59:59Z"]
)
@pytest.mark.parametrize("name", ["startDateTime", "endDateTime"])
def test_moment_in_another_form_is_refused(server: ReplayServer, name: str, moment: str) -> None:
    answer = get(server, **{name: moment})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "DIS1015")


@pytest.mark.parametrize("start", ["2020-03-04T00:00:00Z", "2022-01-01T00:00:00Z", "2026-11-28T00:00:00Z"])
def test_every_recorded_event_is_listed_on_any_day_and_in_one_of_adjoining_spans(
    server: ReplayServer, start: str
) -> None:
    session = requests.Session()
    assert listed(server, session, startDateTime=start) == 40
    year = int(start[:4])
    ends = [f"{year}-12-31T23:59:59Z", f"{year + 1}-12-31T23:59:59Z"]
    starts = [start, f"{year + 1}-01-01T00:00:00Z", f"{year + 2}-01-01T00:00:00Z"]
    spans = [{"startDateTime": first, "endDateTime": last} for first, last in zip(starts, ends, strict=False)]
    spans.append({"startDateTime": starts[-1]})
    assert sum(listed(server, session, **span) for span in spans) == 40


def test_what_follows_a_span_is_the_rest_of_its_listing_and_elsewhere_a_whole_one(server: ReplayServer) -> None:
    following = {"startDateTime": "2020-09-01T00:00:00Z"}
    one, other = requests.Session(), requests.Session()
    assert listed(server, one, startDateTime="2020-03-06T00:00:00Z", endDateTime="2020-08-31T23:59:59Z") == 20
    assert listed(server, other, **following) == 40
    assert [listed(server, one, **following, page=page) for page in ("0", "1")] == [20, 20]
    assert [listed(server, other, **following, page=page) for page in ("0", "1")] == [40, 40]
    assert listed(server, one, **following) == 20  # asked for again
    assert listed(server, one, **following, size="30") == 40  # the whole of another listing


def test_event_of_a_part_of_a_second_is_in_one_of_adjoining_spans(server: ReplayServer) -> None:
    server.ticketmaster.events = [{"id": "late", "dates": {"start": {"dateTime": "2020-03-04T23:59:59.500Z"}}}]
    session = requests.Session()
    assert listed(server, session, startDateTime="2020-03-04T00:00:00Z", endDateTime="2020-03-04T23:59:59Z") == 1
    assert listed(server, session, startDateTime="2020-03-05T00:00:00Z") == 0


@pytest.mark.parametrize("key", [None, "", "another"])
def test_unknown_key_is_refused(server: ReplayServer, key: str | None) -> None:
    answer = get(server, apikey=key)
    assert answer.status_code == 401
    assert answer.json() == {
        "fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}
    }


def test_event_detail_is_found_by_id(server: ReplayServer) -> None:
    event = get(server, "/discovery/v2/events/vvG1VZKS5pr1qy.json").json()
    assert event["dates"]["start"]["timeTBA"] is True
    assert get(server, "/discovery/v2/events/k7vGF95K-LFZa").json()["name"] == "Alice Cooper"


def test_unknown_event_is_a_404_of_the_service(server: ReplayServer) -> None:
    answer = get(server, "/discovery/v2/events/unknown")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (404, "DIS1004")


def test_ordered_faults_are_consumed_one_per_request(server: ReplayServer, tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"ticketmaster": [429, 500]}))
    assert [get(server).status_code for _ in range(3)] == [429, 500, 200]
    assert json.loads(faults.read_text()) == {"ticketmaster": []}


def test_rate_limit_stands_on_every_answer(server: ReplayServer, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps({"ticketmaster": [429]}))
    before, limited, after = time.time(), get(server), time.time()
    served, refused = get(server), get(server, apikey="another")
    assert limited.json()["fault"]["detail"]["errorcode"] == "policies.ratelimit.QuotaViolation"
    assert before - 1 < int(limited.headers["Rate-Limit-Reset"]) / 1000 < after + 2
    for answer in (limited, served, refused):
        assert {"Rate-Limit", "Rate-Limit-Available", "Rate-Limit-Over", "Rate-Limit-Reset"} <= answer.headers.keys()
    assert int(refused.headers["Rate-Limit-Available"]) == int(served.headers["Rate-Limit-Available"]) - 1


def test_health_needs_no_key(server: ReplayServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/_replay/health"
    assert requests.get(url, timeout=60).json().items() >= {
        "status": "ok", "ticketmaster_events": 40, "spotify_artists": 17, "setlistfm_setlists": 13,
    }.items()  # fmt: skip


def test_recordings_with_status_and_headers_around_the_body_are_served(tmp_path: Path) -> None:
    folder = tmp_path / "api_payloads"
    folder.mkdir()
    body = {"_embedded": {"events": [{"id": "one", "name": "One"}]}}
    (folder / "one_http.json").write_text(json.dumps({"status": 200, "headers": {}, "body": body}))
    row = "one_http.json,ticketmaster,GET /discovery/v2/events.json?size=1,200,more"
    (folder / "manifest.csv").write_text(f"file,api,endpoint,http_status,notes\n{row}\n")
    with ReplayServer(port=0, samples=tmp_path, state_dir=tmp_path, key=KEY) as server:
        assert [event["id"] for event in server.ticketmaster.events] == ["one"]


# ---------------------------------------------------------------- attractions and venues
def test_attractions_and_venues_of_events_are_listed_and_found(server: ReplayServer) -> None:
    found = get(server, "/discovery/v2/attractions.json", id="K8vZ9171o1V,K8vZ9171ulV,unknown").json()
    names = {entry["name"]: entry for entry in found["_embedded"]["attractions"]}
    assert names.keys() == {"LA Clippers", "Alice Cooper"}
    assert names["Alice Cooper"]["externalLinks"]["musicbrainz"] == [{"id": "ee58c59f-8e7f-4430-b8ca-236c4d3745ae"}]
    assert get(server, "/discovery/v2/venues/KovZpZAFnIEA.json").json()["name"].startswith("#1 Please do not use")
    assert get(server, "/discovery/v2/venues/unknown.json").status_code == 404


def test_spent_daily_quota_is_a_429_with_the_next_midnight(server: ReplayServer, monkeypatch) -> None:
    monkeypatch.setattr("local.replay.ticketmaster.DAILY_QUOTA", 1)
    assert get(server).headers["Rate-Limit-Available"] == "0"
    refused = get(server)
    assert refused.status_code == 429
    assert int(refused.headers["Rate-Limit-Reset"]) % 86_400_000 == 0


# ---------------------------------------------------------------- Spotify
def token(server: ReplayServer, secret: str = KEY) -> requests.Response:
    url = f"http://127.0.0.1:{server.server_port}/api/token"
    return requests.post(url, {"grant_type": "client_credentials"}, auth=(KEY, secret), timeout=60)


def spotify(server: ReplayServer, path: str, headers: dict[str, str] | None = None, **query: object):
    bearer = {"Authorization": f"Bearer {token(server).json()['access_token']}", **(headers or {})}
    return requests.get(f"http://127.0.0.1:{server.server_port}{path}", params=query, headers=bearer, timeout=60)


def test_token_is_given_to_the_known_client_only(server: ReplayServer) -> None:
    assert token(server).json()["token_type"] == "Bearer"
    assert token(server, "another").json()["error"] == "invalid_client"
    assert spotify(server, "/v1/search", {"Authorization": "Bearer none"}).status_code == 401


def test_artist_is_found_by_id_and_name(server: ReplayServer) -> None:
    bowie = spotify(server, "/v1/artists/0oSGxfWSnnOXhD2fKuz2Gy").json()
    assert (bowie["name"], bowie["popularity"]) == ("David Bowie", 77)
    assert "popularity" not in spotify(server, "/v1/artists/3EhbVgyfGd7HkpsagwL9GS").json()
    found = spotify(server, "/v1/search", q="arctic", type="artist", limit=2, offset=2).json()["artists"]
    assert (found["total"], len(found["items"]), found["next"][-17:]) == (5, 2, "&offset=4&limit=2")
    assert spotify(server, "/v1/search", q="中島みゆき", type="artist").json()["artists"]["total"] == 1
    assert spotify(server, "/v1/search", q="nobody", type="artist").json()["artists"]["items"] == []


def test_errors_of_spotify(server: ReplayServer, tmp_path: Path) -> None:
    assert spotify(server, f"/v1/artists/{'x' * 22}").json()["error"]["status"] == 404
    assert spotify(server, "/v1/artists/short").status_code == 400
    assert spotify(server, "/v1/search", q="a", type="artist", limit=51).status_code == 400
    (tmp_path / "faults.json").write_text(json.dumps({"spotify": [429]}))
    limited = token(server)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")


def test_unchanged_artist_is_a_304(server: ReplayServer) -> None:
    path = "/v1/artists/0oSGxfWSnnOXhD2fKuz2Gy"
    again = spotify(server, path, {"If-None-Match": spotify(server, path).headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


# ---------------------------------------------------------------- setlist.fm
BABYMETAL = "27e2997f-f7a1-4353-bcc4-57b9274fa9a4"


def setlistfm(server: ReplayServer, path: str, key: str = KEY, **query: object) -> requests.Response:
    url = f"http://127.0.0.1:{server.server_port}/rest/1.0/{path}"
    return requests.get(url, params=query, headers={"x-api-key": key}, timeout=60)


def test_setlists_come_in_pages_of_twenty_newest_first(server: ReplayServer) -> None:
    head = server.setlistfm.setlists[0]
    server.setlistfm.setlists = [{**head, "id": str(n), "artist": {"mbid": "m", "name": "M"}} for n in range(45)]
    pages = [setlistfm(server, "artist/m/setlists", p=number).json() for number in (1, 2, 3)]
    assert [len(page["setlist"]) for page in pages] == [20, 20, 5]
    assert {(page["type"], page["itemsPerPage"], page["total"]) for page in pages} == {("setlists", 20, 45)}
    assert setlistfm(server, "artist/m/setlists", p=4).status_code == 404


def test_setlists_are_searched_by_their_last_update(server: ReplayServer) -> None:
    setlists = setlistfm(server, f"artist/{BABYMETAL}/setlists").json()["setlist"]
    newest = max(setlist["lastUpdated"] for setlist in setlists)
    moment = newest[:19].replace("-", "").replace(":", "").replace("T", "")
    found = setlistfm(server, "search/setlists", artistMbid=BABYMETAL, lastUpdated=moment).json()
    assert [setlist["lastUpdated"] for setlist in found["setlist"]] == [newest]


def test_artists_and_venues_inside_setlists_are_found(server: ReplayServer) -> None:
    assert setlistfm(server, "artist/67f66c07-6e61-4026-ade5-7e782fad3a5d").json()["name"] == "Foo Fighters"
    assert setlistfm(server, "venue/13d639f5").json()["name"] == "Saitama Super Arena"
    assert setlistfm(server, "search/venues", name="kulturfabrik").json()["total"] == 1


def test_search_without_a_result_is_a_404_and_a_wrong_key_a_403(server: ReplayServer) -> None:
    missing = setlistfm(server, "search/artists", artistName="nobody")
    assert (missing.status_code, missing.json()["error"]) == (404, "Not Found")
    assert setlistfm(server, "venue/13d639f5", key="another").status_code == 403


def test_third_request_of_a_second_is_a_429_where_the_server_keeps_the_pace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: 0.0))  # however slow this machine is
    with ReplayServer(port=0, samples=SAMPLES, state_dir=tmp_path, key=KEY, paced=True) as paced:
        threading.Thread(target=paced.serve_forever, kwargs={"poll_interval": 0.01}).start()
        answers = [setlistfm(paced, "venue/13d639f5").status_code for _ in range(3)]
        paced.shutdown()
    assert answers == [200, 200, 429]


def test_answer_can_be_ordered_to_break_off(server: ReplayServer, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text(json.dumps({"setlistfm": ["cut"]}))
    with pytest.raises(requests.exceptions.JSONDecodeError):
        setlistfm(server, "venue/13d639f5").json()


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.replay", *arguments]
    return subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)


def test_taken_port_ends_the_command_with_one_line(server: ReplayServer, tmp_path: Path) -> None:
    done = run_command("--port", str(server.server_port), "--state-dir", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"replay server: port {server.server_port} of 127.0.0.1 cannot be used (Address already in use)"
    ]


def test_missing_samples_end_the_command_with_one_line(tmp_path: Path) -> None:
    done = run_command("--port", "0", "--samples", str(tmp_path), "--state-dir", str(tmp_path))
    assert done.returncode == 2
    assert "manifest.csv cannot be read" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_local_platform_leads_every_source_to_the_replay_server() -> None:
    assert set(services.SOURCE_APIS) == set(SOURCE_URLS)
