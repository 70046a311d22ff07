"""The replay server answers as the Ticketmaster Discovery API v2 does."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

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


def get(server: ReplayServer, path: str = EVENTS, **query: object) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{server.server_port}{path}", params={"apikey": KEY, **query}, timeout=5)


def test_pages_hold_every_recorded_event_once(server: ReplayServer) -> None:
    pages = [get(server, size=15, page=number).json() for number in range(3)]
    assert [len(page["_embedded"]["events"]) for page in pages] == [15, 15, 10]
    assert len({event["id"] for page in pages for event in page["_embedded"]["events"]}) == 40
    assert pages[2]["page"] == {"size": 15, "totalElements": 40, "totalPages": 3, "number": 2}


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
    limited, served, refused = get(server), get(server), get(server, apikey="another")
    assert limited.json()["fault"]["detail"]["errorcode"] == "policies.ratelimit.QuotaViolation"
    assert 0 < int(limited.headers["Rate-Limit-Reset"]) / 1000 - time.time() + 1 < 3
    for answer in (limited, served, refused):
        assert {"Rate-Limit", "Rate-Limit-Available", "Rate-Limit-Over", "Rate-Limit-Reset"} <= answer.headers.keys()
    assert int(refused.headers["Rate-Limit-Available"]) == int(served.headers["Rate-Limit-Available"]) - 1


def test_health_needs_no_key(server: ReplayServer) -> None:
    url = f"http://127.0.0.1:{server.server_port}/_replay/health"
    assert requests.get(url, timeout=5).json() == {"status": "ok", "ticketmaster_events": 40}


def test_recordings_with_status_and_headers_around_the_body_are_served(tmp_path: Path) -> None:
    folder = tmp_path / "api_payloads"
    folder.mkdir()
    body = {"_embedded": {"events": [{"id": "one", "name": "One"}]}}
    (folder / "one_http.json").write_text(json.dumps({"status": 200, "headers": {}, "body": body}))
    row = "one_http.json,ticketmaster,GET /discovery/v2/events.json?size=1,200,more"
    (folder / "manifest.csv").write_text(f"file,api,endpoint,http_status,notes\n{row}\n")
    with ReplayServer(port=0, samples=tmp_path, state_dir=tmp_path, key=KEY) as server:
        assert [event["id"] for event in server.ticketmaster.events] == ["one"]


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local.replay", *arguments]
    return subprocess.run(command, check=False, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)


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
