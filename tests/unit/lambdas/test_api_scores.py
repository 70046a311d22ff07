"""The API's function serves what was published: answers of the services, and one line for whatever it cannot serve."""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

NAMES = {"i1": "Björk", "i2": "Sigur Rós", "i3": "Múm"}
EVENT = {"concert_id": "c1", "artist_id": "i1", "name": "Live", "event_date": "2026-12-24", "venue": "Harpa",
         "city": "Reykjavík", "country": "Iceland", "status": "onsale"}  # fmt: skip
FORECAST = {
    "concert_id": "c1", "expected_tickets": 800, "lower_tickets": 700, "upper_tickets": 900, "capacity": 1000,
    "utilisation": 0.8, "basis": "own history", "capacity_basis": "venue", "as_of": "2026-11-27",
    "model_version": "v1", "price_low": 20.0, "price_high": None,
    "drivers": [{"feature": "act_last", "value": None, "effect": 0.05}],
}  # fmt: skip
PUBLISHED = {
    "sales/concert/c1": FORECAST,
    "sales/concert/コンサート/1": FORECAST | {"concert_id": "コンサート/1"},
    "venues/venue/v1": {"venue_id": "v1", "venue": "Harpa", "as_of": "2026-11-27"},
    "recommender/publication/all": {"model_version": "v1", "as_of": "2026-11-27", "feature_schema": 1, "users": 1,
                                    "metrics": {}, "baseline": {}},
    "recommender/popular/all": [{"artist_id": "i1", "score": 0.9}, {"artist_id": "i3", "score": 0.5}],
    "recommender/user/hybrid/u1": [{"artist_id": "i2", "score": 2.0, "signal": "similar_artists", "because": "i3"}],
    "recommender/user/content/u1": [{"artist_id": "i1", "score": 3.0, "signal": "tags", "because": "pop"}],
    "recommender/known/u1": ["i3"],
    "recommender/place/reykjavík": [EVENT],
    **{f"recommender/artist/{artist}": {"name": name, "events": [EVENT] if artist == "i1" else []}
       for artist, name in NAMES.items()},
}  # fmt: skip
ADDRESSES = {
    "/recommendations/{user_id}": {"user_id": "u1"},
    "/concerts/{concert_id}/forecast": {"concert_id": "c1"},
    "/venues/{venue_id}/analysis": {"venue_id": "v1"},
}
RECOMMENDATIONS, FORECASTS, ANALYSES = ADDRESSES


class Table:
    """A DynamoDB client of one table of scores."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.fault: Exception | None = None

    def publish(self, name: str, contents: dict[str, Any]) -> None:
        for subject, content in contents.items():
            packed = gzip.compress(json.dumps(content).encode())
            self.items[subject, name] = {"subject": {"S": subject}, "content": {"B": packed}}
            self.items[f"{subject.partition('/')[0]}/current", "current"] = {"name": {"S": name}}

    def get_item(self, *, Key: Any, **_: Any) -> dict[str, Any]:
        if self.fault:
            raise self.fault
        found = self.items.get((Key["subject"]["S"], Key["publication"]["S"]))
        return {"Item": found} if found else {}

    def batch_get_item(self, *, RequestItems: Any) -> dict[str, Any]:
        [(table, asked)] = RequestItems.items()
        return {"Responses": {table: [item["Item"] for key in asked["Keys"] if (item := self.get_item(Key=key))]}}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("MODEL_SCORE_TABLE", "scores")
    made = Table()
    made.publish("p1", PUBLISHED)
    return made


@pytest.fixture
def call(load: Any, table: Table, monkeypatch: pytest.MonkeyPatch) -> Any:
    """call(resource, {"user_id": "u1"}, limit="3") -> (status, document), asked as a REST API asks"""
    module = load("api", "handler")
    monkeypatch.setattr(load("api", "scores"), "client", lambda service: table)

    def request(resource: str, parameters: dict[str, str] | None = None, **query: str) -> tuple[int, dict]:
        parameters = ADDRESSES[resource] if parameters is None else parameters
        event = {"httpMethod": "GET", "resource": resource, "path": resource.format(**parameters),
                 "pathParameters": parameters, "queryStringParameters": query or None}  # fmt: skip
        answer = module.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])

    return request


def artists(document: dict) -> list[str]:
    return [one["artist"] for one in document["recommendations"]]


def test_a_users_list_comes_with_reasons_and_concerts(call: Any) -> None:
    status, document = call(RECOMMENDATIONS)
    first, second = document.pop("recommendations")
    assert (status, document) == (200, {"user_id": "u1", "algorithm": "hybrid"})
    assert (first["artist"], first["kind"], first["reason"]) == ("Sigur Rós", "artist", "listeners of Múm play it")
    assert (second["artist"], second["kind"], second["event"]["event_date"]) == ("Björk", "event", "2026-12-24")


def test_limit_algorithm_and_place_are_the_services(call: Any) -> None:
    assert artists(call(RECOMMENDATIONS, limit="1")[1]) == ["Sigur Rós"]
    assert artists(call(RECOMMENDATIONS, algorithm="content", limit="1000")[1]) == ["Björk"]
    unknown = call(RECOMMENDATIONS, {"user_id": "%F0%9F%8E%B8"}, place="REYKJAVÍK")[1]
    assert unknown["user_id"] == "🎸"
    assert [one["signal"] for one in unknown["recommendations"]] == ["popular_here", "popularity"]


def test_a_forecast_and_an_analysis_are_the_services(call: Any) -> None:
    status, document = call(FORECASTS)
    assert (status, document["expected_tickets"], document["upper_revenue"]) == (200, 800, None)
    assert document["drivers"] == FORECAST["drivers"] and "price_low" not in document
    assert call(ANALYSES) == (200, PUBLISHED["venues/venue/v1"])


def test_an_id_comes_percent_encoded_in_any_script(call: Any) -> None:
    encoded = "%E3%82%B3%E3%83%B3%E3%82%B5%E3%83%BC%E3%83%88%2F1"
    assert call(FORECASTS, {"concert_id": encoded})[1]["concert_id"] == "コンサート/1"


@pytest.mark.parametrize(("resource", "name"), [(FORECASTS, "concert_id"), (ANALYSES, "venue_id")])
def test_what_nothing_is_published_of_is_not_found(call: Any, resource: str, name: str) -> None:
    status, document = call(resource, {name: "nobody"})
    assert (status, document["error"]["code"]) == (404, "not_found")
    assert "nobody" in document["error"]["message"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        *(({"limit": text}, "limit is not a whole number from 1 to 1000")
          for text in ("0", "-1", "10000", "ten", "1.5", "1_0", "٣", "9" * 200)),
        ({"limit": "9" * 300}, "limit is not a text of 1 to 256 characters"),
        ({"algorithm": "best"}, "algorithm is none of hybrid, collaborative, content"),
        ({"place": "x" * 257}, "place is not a text of 1 to 256 characters"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_answered_says_what_is_wrong(call: Any, query: dict, reason: str) -> None:
    status, document = call(RECOMMENDATIONS, **query)
    assert (status, document["error"]["code"], document["error"]["message"]) == (400, "bad_request", reason)


@pytest.mark.parametrize("identity", ["%FF", "x" * 257, ""])
def test_what_is_no_id_is_refused(call: Any, identity: str) -> None:
    assert call(ANALYSES, {"venue_id": identity})[0] == 400


@pytest.mark.parametrize("resource", ADDRESSES)
def test_before_the_first_publication_the_caller_is_told_to_wait(call: Any, table: Table, resource: str) -> None:
    table.items.clear()
    status, document = call(resource)
    assert (status, document["error"]["message"]) == (503, "nothing is published yet: ask again after the nightly run")


@pytest.mark.parametrize(
    ("resource", "damage"),
    [*((resource, damage) for resource in ADDRESSES for damage in ("silence", "no gzip")),
     (RECOMMENDATIONS, "another shape"), (FORECASTS, "another shape")],
)  # fmt: skip
def test_scores_that_cannot_be_read_are_unavailable_and_the_log_says_why(
    call: Any, table: Table, resource: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    if damage == "silence":
        table.fault = EndpointConnectionError(endpoint_url="https://dynamodb")
    for (_, publication), item in table.items.items():
        if publication == "p1" and damage != "silence":
            item["content"] = {"B": b"x" if damage == "no gzip" else gzip.compress(b"[]")}
    status, document = call(resource)
    assert (status, document["error"]["message"]) == (503, "the scores cannot be read now: ask again later")
    assert "Error" in caplog.text


def test_each_request_reads_the_publication_of_its_time(call: Any, table: Table) -> None:
    assert call(FORECASTS)[1]["expected_tickets"] == 800
    table.publish("p2", {"sales/concert/c1": FORECAST | {"expected_tickets": 850}})
    assert call(FORECASTS)[1]["expected_tickets"] == 850
