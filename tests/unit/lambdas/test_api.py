"""The API's function: routes, errors of one shape, and what goes to the stream."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

INTERACTION = {"type": "view", "user_id": "u1", "artist_id": "a1"}


@pytest.fixture
def call(load: Any) -> Any:
    """call("POST", "/interactions", body) -> (status, headers, document)"""
    module = load("api", "handler")

    def request(method: str, path: str, body: Any = None, **more: Any) -> tuple[int, dict, dict]:
        event = {"httpMethod": method, "path": path, "requestContext": {"requestId": "r1"}, **more}
        event["body"] = body if isinstance(body, str | None) else json.dumps(body)
        answer = module.handler(event, None)
        return answer["statusCode"], answer["headers"], json.loads(answer["body"])

    return request


def test_health_names_the_environment_and_the_code(call: Any) -> None:
    status, _, document = call("GET", "/health/")
    assert status == 200
    assert document == {"status": "ok", "environment": "staging", "version": "0123456789abcdef"}


def test_health_needs_nothing_but_a_path(load: Any) -> None:
    for function in ("api", "concert_data_processor", "chatbot"):
        assert load(function, "answers").health({"path": "/health"})["statusCode"] == 200
    assert load("api", "handler").handler({"path": "/health"}, None)["statusCode"] == 200


def test_an_unknown_route_has_the_shape_of_every_error(call: Any) -> None:
    status, _, document = call("PUT", "/health")
    assert status == 404
    assert document == {"error": {"code": "not_found", "message": "no route for PUT /health", "request_id": "r1"}}


def test_an_unexpected_error_keeps_its_details_to_the_log(
    call: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ENVIRONMENT")
    status, _, document = call("GET", "/health")
    assert (status, document["error"]["message"]) == (500, "internal error")
    assert "KeyError" in caplog.text


def test_an_interaction_goes_to_the_stream_in_the_order_of_its_user(call: Any, aws: Any) -> None:
    status, _, document = call("POST", "/interactions", INTERACTION)
    [(name, arguments)] = aws.calls
    sent = json.loads(arguments["Data"])
    assert (status, name, arguments["PartitionKey"]) == (202, "put_record", "u1")
    assert sent == {
        **INTERACTION, "event_id": document["event_id"], "occurred_at": sent["occurred_at"],
        "schema_version": 1, "source": "api",
    }  # fmt: skip


def test_the_callers_event_id_and_time_are_kept(call: Any, aws: Any) -> None:
    occurred = datetime.now(UTC) - timedelta(days=6)
    own = {"event_id": "e1", "occurred_at": occurred.astimezone(timezone(timedelta(hours=-5))).isoformat()}
    assert call("POST", "/interactions", {**INTERACTION, **own})[2] == {"event_id": "e1"}
    assert json.loads(aws.calls[0][1]["Data"])["occurred_at"] == occurred.isoformat()


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "[" * 100_000, base64.b64encode(b"{}").decode(), {**INTERACTION, "user_id": ""},
     {**INTERACTION, "type": "anything"}, {**INTERACTION, "type": ["view"]}, {**INTERACTION, "user_id": "\ud800"},
     {**INTERACTION, "event_id": None}, {**INTERACTION, "artist_id": "a\x00"}, {**INTERACTION, "more": float("nan")},
     {**INTERACTION, "occurred_at": "0001-01-01T00:00:00Z"}, {**INTERACTION, "occurred_at": 10**30},
     json.dumps(INTERACTION)[:-1] + ', "type": "anything"}', '{"user_id": ' + "9" * 5000 + "}"],
)  # fmt: skip
def test_what_is_no_interaction_is_refused(call: Any, aws: Any, body: Any) -> None:
    status, _, document = call("POST", "/interactions", body)
    assert (status, document["error"]["code"], aws.calls) == (400, "bad_request", [])


def test_a_body_may_come_in_base64(call: Any, aws: Any) -> None:
    body = base64.b64encode(json.dumps(INTERACTION).encode()).decode()
    assert call("POST", "/interactions", body, isBase64Encoded=True)[0] == 202


@pytest.mark.parametrize("body", ["%", "Björk", "/w==", base64.b64encode(b"\xff").decode()])
def test_a_body_that_is_said_to_be_base64_and_is_not_is_refused(call: Any, aws: Any, body: str) -> None:
    assert (call("POST", "/interactions", body, isBase64Encoded=True)[0], aws.calls) == (400, [])


def test_only_the_fields_of_an_interaction_reach_the_stream(call: Any, aws: Any) -> None:
    headers = {"headers": None, "multiValueHeaders": None}  # as of a call with another content type, past the model
    assert call("POST", "/interactions", {**INTERACTION, "view_count": 1e308}, **headers)[0] == 202
    assert set(json.loads(aws.calls[0][1]["Data"])) == {
        *INTERACTION,
        "event_id",
        "occurred_at",
        "schema_version",
        "source",
    }


def test_a_stream_that_takes_nothing_is_said_to_be_unavailable(call: Any, aws: Any) -> None:
    aws.answers["put_record"] = [EndpointConnectionError(endpoint_url="https://kinesis")]
    assert call("POST", "/interactions", INTERACTION)[0] == 503


def test_the_site_of_the_stage_may_read_the_answer(call: Any) -> None:
    _, headers, _ = call("GET", "/health", stageVariables={"allowedOrigin": "https://concerts.example"})
    assert headers["Access-Control-Allow-Origin"] == "https://concerts.example"
    assert "Access-Control-Allow-Origin" not in call("GET", "/health", stageVariables=None)[1]
