"""The chatbot and compute-application stacks in a local AWS of their own: requests, the stream, and an update.

They are deployed by the root: what the deployment role may do is the matter of test_cloudformation.py.
"""

import base64
import gzip
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from concert_platform import artifacts
from concert_platform.cloudformation import Deployment, deployment, load_template
from concert_platform.cloudformation.templates import parse_template
from concert_platform.settings import Settings
from concert_platform.streams import redrive
from concert_platform.streams.kinesis import KinesisProducer
from tests.contract.conftest import ACCOUNT, REGION, Emulator
from tests.deadlines import until

SETTINGS = Settings(environment="production", account_id=ACCOUNT, region=REGION)
BUNDLE = artifacts.Bundle(
    {f"lambda/{name}.zip": artifacts.zip_archive(artifacts.lambda_package(name)) for name in artifacts.FUNCTIONS}
)
PREFIX = {"ArtifactsPrefix": BUNDLE.prefix}
PASSWORD = "Correct-horse-7-battery"
DAY = (datetime.now(UTC) - timedelta(days=2)).date()
EVENT = {"event_id": "e1", "type": "view", "user_id": "u1", "artist_id": "a1", "concert_id": "c1",
         "occurred_at": f"{DAY}T23:30:00+00:00"}  # fmt: skip


class RootDeployment(Deployment):
    def _service_role(self, name: str) -> str | None:
        return None


@pytest.fixture(scope="module")
def outputs(aws: Emulator) -> dict[str, str]:
    """Outputs of all five stacks."""
    found: dict[str, str] = {}
    for name in ("networking", "orchestration", "storage-processing", "chatbot", "compute-application"):
        found |= RootDeployment(SETTINGS, run="first").deploy(name, PREFIX)
        if name == "storage-processing":
            artifacts.publish(SETTINGS.artifacts_bucket, BUNDLE)
    return found


@pytest.fixture(scope="module")
def call(aws: Emulator, outputs: dict[str, str]) -> Callable[..., tuple[int, dict[str, str], Any]]:
    """call("POST", "/chat", body, **headers) -> (status, headers, document)"""

    def request(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        url = f"{aws.endpoint_url}/_aws/execute-api/{outputs['ApiId']}/{outputs['ApiStageName']}{path}"
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = urllib.request.Request(url, data, {"Content-Type": "application/json", **named}, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                return answer.status, dict(answer.headers), json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), json.loads(error.read())

    return request


@pytest.fixture(scope="module")
def key(aws: Emulator, outputs: dict[str, str]) -> dict[str, str]:
    found = aws.client("apigateway").get_api_key(apiKey=outputs["WebApiKeyId"], includeValue=True)
    return {"x_api_key": found["value"]}


def sign_in(aws: Emulator, outputs: dict[str, str], user: str) -> dict[str, str]:
    """Header of a new user."""
    cognito, pool = aws.client("cognito-idp"), {"UserPoolId": outputs["UserPoolId"]}
    cognito.admin_create_user(**pool, Username=user, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**pool, Username=user, Password=PASSWORD, Permanent=True)
    answer = cognito.admin_initiate_auth(
        **pool, ClientId=outputs["UserPoolClientId"], AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": user, "PASSWORD": PASSWORD},
    )  # fmt: skip
    return {"Authorization": answer["AuthenticationResult"]["IdToken"]}


@pytest.fixture(scope="module")
def token(aws: Emulator, outputs: dict[str, str]) -> dict[str, str]:
    return sign_in(aws, outputs, "fan@example.org")


# ---------------------------------------------------------------- requests


def test_every_function_is_healthy_by_its_name(aws: Emulator, outputs: dict[str, str]) -> None:
    for output in ("ApiFunctionName", "ChatbotFunctionName", "ProcessorFunctionName"):
        answer = aws.client("lambda").invoke(FunctionName=outputs[output], Payload=b'{"path": "/health"}')
        body = json.loads(json.loads(answer["Payload"].read())["body"])
        assert body == {"status": "ok", "environment": "production", "version": BUNDLE.hash}


def test_health_is_open_and_the_chatbots_needs_a_key(call: Any, key: dict) -> None:
    assert call("GET", "/health")[2]["status"] == "ok"
    assert call("GET", "/chat")[0] == 403
    assert call("GET", "/chat", **key)[2]["status"] == "ok"


@pytest.mark.parametrize(
    "path", ["/recommendations/u%201?limit=5", "/concerts/c%201/forecast", "/venues/v%201/analysis"]
)
def test_scores_need_a_key_and_a_publication(call: Any, key: dict, outputs: dict[str, str], path: str) -> None:
    assert call("GET", path)[0] == 403
    assert call("OPTIONS", path)[1]["Access-Control-Allow-Methods"] == "GET,OPTIONS"
    status, headers, document = call("GET", path, **key)
    assert (status, document["error"]["message"]) == (503, "nothing is published yet: ask again after the nightly run")
    assert headers["Access-Control-Allow-Origin"] == outputs["WebUrl"]


def test_an_error_of_the_gateway_has_the_shape_of_the_functions(call: Any, outputs: dict[str, str]) -> None:
    status, headers, document = call("GET", "/nothing")
    assert status == 403 and set(document["error"]) == {"code", "message", "request_id"}
    assert headers["Access-Control-Allow-Origin"] == outputs["WebUrl"]


def test_a_preflight_names_the_web_site(call: Any, outputs: dict[str, str]) -> None:
    status, headers, _ = call("OPTIONS", "/chat")
    assert (status, headers["Access-Control-Allow-Origin"]) == (204, outputs["WebUrl"])


def test_a_chat_is_kept_for_who_signed_in(call: Any, token: dict, aws: Emulator, outputs: dict[str, str]) -> None:
    assert call("POST", "/chat", {"message": "help"})[0] == 401
    _, headers, first = call("POST", "/chat", {"message": "remember city Berlin"}, **token)
    second = call("POST", "/chat", {"message": "what do you know", "session_id": first["session_id"]}, **token)[2]
    found = aws.client("dynamodb").scan(TableName=outputs["ConversationTableName"])["Items"]
    lines = [line for line in found if first["session_id"] in str(line)]
    assert second == {"session_id": first["session_id"], "reply": "I know: city Berlin."}
    assert [line["author"]["S"] for line in lines] == ["user", "chatbot"] * 2
    assert headers["Access-Control-Allow-Origin"] == outputs["WebUrl"]


@pytest.mark.parametrize("body", [{}, {"message": ""}, {"message": "x" * 1001}, {"message": "x", "more": 1}])
def test_an_invalid_message_does_not_reach_the_function(call: Any, token: dict, body: dict) -> None:
    status, _, document = call("POST", "/chat", body, **token)
    assert (status, document["error"]["code"]) == (400, "BAD_REQUEST_BODY")


def test_nobody_writes_into_the_session_of_another(
    call: Any, token: dict, aws: Emulator, outputs: dict[str, str]
) -> None:
    session = {"session_id": call("POST", "/chat", {"message": "help"}, **token)[2]["session_id"]}
    other = sign_in(aws, outputs, "other@example.org")
    lines = aws.client("dynamodb").scan(TableName=outputs["ConversationTableName"])["Count"]
    assert call("POST", "/chat", {"message": "remember city Rome", **session}, **other)[0] == 404
    assert (
        call("POST", "/chat", {"message": "what do you know"}, **other)[2]["reply"] == "I know nothing about you yet."
    )
    assert aws.client("dynamodb").scan(TableName=outputs["ConversationTableName"])["Count"] == lines + 2


def test_half_of_a_character_is_the_callers_mistake(call: Any, token: dict) -> None:
    assert call("POST", "/chat", {"message": "\ud800"}, **token)[0] == 400


def test_idle_sessions_are_closed_by_the_maintenance(aws: Emulator, outputs: dict[str, str]) -> None:
    dynamodb, table = aws.client("dynamodb"), outputs["SessionTableName"]
    idle = {"session_id": "s1", "open_marker": "open", "last_message_at": "2026-01-01T00:00:00+00:00"}
    dynamodb.put_item(TableName=table, Item={name: {"S": value} for name, value in idle.items()})
    target = aws.client("events").list_targets_by_rule(Rule=f"{SETTINGS.prefix}-chatbot-close-idle-sessions")
    payload = target["Targets"][0]["Input"].encode()
    answer = aws.client("lambda").invoke(FunctionName=outputs["ChatbotFunctionName"], Payload=payload)
    item = dynamodb.get_item(TableName=table, Key={"session_id": {"S": "s1"}})["Item"]
    assert json.loads(answer["Payload"].read()) == {"ClosedSessions": 1}
    assert "closed_at" in item and "open_marker" not in item


# ---------------------------------------------------------------- stream


def aggregate(aws: Emulator, outputs: dict[str, str], subject: str) -> dict[str, str]:
    item = (
        aws.client("dynamodb")
        .get_item(
            TableName=outputs["AggregateTableName"], Key={"subject": {"S": subject}, "day": {"S": DAY.isoformat()}}
        )
        .get("Item", {})
    )
    return {name: value["N"] for name, value in item.items() if name == "interactions" or name.endswith("_count")}


def letters(aws: Emulator, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """Takes what lies in the processor's dead letter queue."""
    sqs = aws.client("sqs")
    queue = sqs.get_queue_url(QueueName=outputs["ProcessorDeadLetterQueueName"])["QueueUrl"]
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def test_an_event_counts_once_however_often_it_is_sent(call: Any, key: dict, aws: Emulator, outputs: dict) -> None:
    event = {**EVENT, "event_id": "once", "artist_id": "twice-sent", "concert_id": "c-once"}
    for _ in range(2):
        assert call("POST", "/interactions", event, **key)[0] == 202
    call("POST", "/interactions", {**event, "event_id": "after", "type": "like", "artist_id": "marker"}, **key)
    until(lambda: aggregate(aws, outputs, "artist#marker"))
    assert aggregate(aws, outputs, "artist#twice-sent") == {"interactions": "1", "view_count": "1"}
    assert aggregate(aws, outputs, "concert#c-once") == {"interactions": "2", "view_count": "1", "like_count": "1"}


def test_an_interaction_needs_a_key_and_a_subject(call: Any, key: dict) -> None:
    assert call("POST", "/interactions", EVENT)[0] == 403
    assert call("POST", "/interactions", {"type": "view", "user_id": "u1"}, **key)[0] == 400


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"type": "anything"}, "BAD_REQUEST_BODY"), ({"occurred_at": "2001-01-01T00:00:00Z"}, "bad_request")],
)
def test_what_would_swell_or_outlive_the_aggregates_is_refused(call: Any, key: dict, changed: dict, code: str) -> None:
    status, _, document = call("POST", "/interactions", {**EVENT, **changed}, **key)
    assert (status, document["error"]["code"]) == (400, code)


def test_an_aggregate_that_is_full_holds_up_no_record(aws: Emulator, outputs: dict[str, str]) -> None:
    dynamodb, day = aws.client("dynamodb"), {"S": DAY.isoformat()}
    full = {"subject": {"S": "artist#full"}, "day": day, "filler": {"S": "x" * (400 * 1024 - 60)}}
    dynamodb.put_item(TableName=outputs["AggregateTableName"], Item=full)
    events = [
        {**EVENT, "event_id": f"e{number}", "artist_id": artist, "concert_id": None}
        for number, artist in enumerate(("before", "full", "behind"), 4)
    ]
    together = [{"Data": json.dumps(event).encode(), "PartitionKey": "u1"} for event in events]
    aws.client("kinesis").put_records(StreamName=outputs["StreamName"], Records=together)
    until(lambda: aggregate(aws, outputs, "artist#behind"))
    assert aggregate(aws, outputs, "artist#before") == {"interactions": "1", "view_count": "1"}
    assert aggregate(aws, outputs, "artist#full") == {}
    assert [letter["reason"].split(":")[:2] for letter in letters(aws, outputs)] == [
        ["DynamoDB refuses the record", " ValidationError"]
    ]


def test_poison_goes_to_the_queue_and_the_next_record_counts(aws: Emulator, outputs: dict[str, str]) -> None:
    good = json.dumps({**EVENT, "event_id": "e3", "artist_id": "after"}).encode()
    for data in (b"{", json.dumps({**EVENT, "user_id": ""}).encode(), good):
        aws.client("kinesis").put_record(StreamName=outputs["StreamName"], Data=data, PartitionKey="u1")
    until(lambda: aggregate(aws, outputs, "artist#after"))
    found = letters(aws, outputs)
    assert sorted(letter["reason"] for letter in found) == ["the record is not JSON", "user_id is missing"]
    assert b"{" in [base64.b64decode(letter["data"]) for letter in found]


def micro_batches(aws: Emulator, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """Lines of all micro-batches of the raw bucket."""
    s3, bucket = aws.client("s3"), outputs["RawBucketName"]
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="stream/dt=")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    bodies = (gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys)
    return [json.loads(line) for body in bodies for line in body.splitlines()]


def test_a_change_event_reaches_aggregate_and_micro_batch(aws: Emulator, outputs: dict[str, str]) -> None:
    change = {"event_id": "change-1", "schema_version": 1, "type": "price_changed", "concert_id": "c-changed",
              "occurred_at": f"{DAY}T12:00:00+00:00", "source": "ticketmaster",
              "properties": {"old_price_min": "10.00", "new_price_min": "12.00"}}  # fmt: skip
    aws.client("kinesis").put_record(
        StreamName=outputs["StreamName"], Data=json.dumps(change).encode(), PartitionKey="c-changed"
    )
    (line,) = until(lambda: [one for one in micro_batches(aws, outputs) if one["event_id"] == "change-1"])
    assert (line["type"], line["concert_id"], line["source"]) == ("price_changed", "c-changed", "ticketmaster")
    assert aggregate(aws, outputs, "concert#c-changed") == {"price_changed_count": "1"}


def test_an_event_of_a_known_concert_counts_for_its_artist_too(
    call: Any, key: dict, aws: Emulator, outputs: dict[str, str]
) -> None:
    item = {"concert_id": {"S": "c-known"}, "artist_id": {"S": "looked-up"}, "expires_at": {"N": "9999999999"}}
    aws.client("dynamodb").put_item(TableName=SETTINGS.concert_artist_table, Item=item)
    event = {name: value for name, value in EVENT.items() if name != "artist_id"}
    call("POST", "/interactions", {**event, "event_id": "of-known", "concert_id": "c-known"}, **key)
    (line,) = until(lambda: [one for one in micro_batches(aws, outputs) if one["event_id"] == "of-known"])
    assert line["artist_id"] == "looked-up"
    assert aggregate(aws, outputs, "artist#looked-up") == {"interactions": "1", "view_count": "1"}


def test_an_interaction_of_the_api_names_its_schema_and_producer(
    call: Any, key: dict, aws: Emulator, outputs: dict[str, str]
) -> None:
    call("POST", "/interactions", {**EVENT, "event_id": "handed-on"}, **key)
    (line,) = until(lambda: [one for one in micro_batches(aws, outputs) if one["event_id"] == "handed-on"])
    assert (line["schema_version"], line["source"], line["user_id"]) == (1, "api", "u1")


def test_a_dead_letter_that_was_mended_counts_after_its_redrive(
    aws: Emulator, outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The letter of an event that the function now takes, beside one that is broken for ever."""
    monkeypatch.setattr(redrive, "settings", lambda: SETTINGS)
    monkeypatch.setattr(redrive, "HIDDEN", 5)  # a letter that comes back while it looks is hidden for so long
    now = {"reason": "as it was", "stream": "arn", "shard": "shardId-000000000000", "sequence_number": "1",
           "partition_key": "u1", "is_complete": True}  # fmt: skip
    good = json.dumps({**EVENT, "event_id": "redriven", "artist_id": "redriven"}).encode()
    unknown = json.dumps({**EVENT, "schema_version": 99}).encode()
    queue = aws.client("sqs").get_queue_url(QueueName=outputs["ProcessorDeadLetterQueueName"])["QueueUrl"]
    for data in (good, unknown):
        letter = {**now, "data": base64.b64encode(data).decode()}
        aws.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
    time.sleep(0.01)  # the queue's clock has milliseconds
    producer = KinesisProducer(outputs["StreamName"], spill=None, client=aws.client("kinesis"))
    assert redrive.redrive(sqs=aws.client("sqs"), producer=producer).sent == 2
    until(lambda: aggregate(aws, outputs, "artist#redriven"))
    assert until(lambda: [letter["reason"] for letter in letters(aws, outputs)]) == [
        "schema_version '99' is unknown: this processor reads 1"
    ]


# ---------------------------------------------------------------- stack


@pytest.mark.parametrize(
    ("stack", "memory", "function", "output"),
    [
        ("compute-application", "MemorySize: 512", "ProcessorFunction", "ProcessorFunctionName"),
        ("chatbot", "MemorySize: 256", "ChatbotFunction", "ChatbotFunctionName"),
    ],
)
def test_a_changed_memory_touches_one_function_and_nothing_else(
    stack: str, memory: str, function: str, output: str,
    outputs: dict[str, str], monkeypatch: pytest.MonkeyPatch, aws: Emulator,
) -> None:  # fmt: skip
    changed = parse_template(stack, load_template(stack).body.replace(memory, "MemorySize: 1024"))
    monkeypatch.setattr(deployment, "load_template", lambda name: changed)
    found = RootDeployment(SETTINGS, run="memory").create_change_set(stack, PREFIX)
    assert [(c["action"], c["logical_id"], c["replacement"]) for c in found.changes] == [("Modify", function, "False")]
    RootDeployment(SETTINGS, run="memory").deploy(stack, PREFIX)
    assert aws.client("lambda").get_function_configuration(FunctionName=outputs[output])["MemorySize"] == 1024


def test_what_the_site_is_served_by(aws: Emulator, outputs: dict[str, str]) -> None:
    config = aws.client("cloudfront").get_distribution(Id=outputs["DistributionId"])["Distribution"][
        "DistributionConfig"
    ]
    origin = config["Origins"]["Items"][0]
    assert origin["OriginAccessControlId"] and origin["DomainName"].startswith(outputs["WebBucketName"])
    assert config["WebACLId"].startswith(f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/")
