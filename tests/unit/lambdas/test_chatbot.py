"""The chatbot: what it answers, what it keeps, and its maintenance."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.conftest import cancelled

SESSION = "0b7f2c1e-5b1a-4f6e-9d56-3c9a0f6a7e11"
CHANGED = ClientError({"Error": {"Code": "ConditionalCheckFailedException", "Message": "no"}}, "UpdateItem")


@pytest.fixture
def chatbot(load: Any) -> Any:
    return load("chatbot", "handler")


@pytest.fixture
def say(chatbot: Any, aws: Any) -> Any:
    """say(body) -> (status, document), as the user u1"""
    aws.answers["query"] = [{"Items": []}, {"Items": []}]

    def request(body: Any, user: str | None = "u1", **more: Any) -> tuple[int, dict[str, Any]]:
        context = {"authorizer": {"claims": {"sub": user}}} if user else {}
        event = {"httpMethod": "POST", "path": "/chat", "requestContext": context, **more}
        event["body"] = body if isinstance(body, str | None) else json.dumps(body)
        answer = chatbot.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])

    return request


def test_a_message_and_its_answer_are_kept_together_in_a_new_session(say: Any, aws: Any) -> None:
    status, document = say({"message": "hello"})
    session, asked, answered = aws.calls[1][1]["TransactItems"]
    assert status == 200 and document["reply"].startswith("I cannot look up concerts yet.")
    assert session["Update"]["Key"] == {"session_id": {"S": document["session_id"]}}
    assert [line["Put"]["Item"]["message"]["S"] for line in (asked, answered)] == ["hello", document["reply"]]
    assert asked["Put"]["Item"]["message_key"]["S"] < answered["Put"]["Item"]["message_key"]["S"]


def test_the_session_of_somebody_else_is_not_there_and_nothing_is_kept(say: Any, aws: Any) -> None:
    aws.answers["transact_write_items"] = [cancelled("ConditionalCheckFailed", "None", "None")]
    assert say({"message": "remember city Rome", "session_id": SESSION})[0] == 404
    assert [name for name, _ in aws.calls] == ["query", "transact_write_items"]


def test_the_user_is_the_one_of_the_token_whatever_the_body_says(say: Any, aws: Any) -> None:
    claim = {"user_id": "u2", "sub": "u2", "requestContext": {"authorizer": {"claims": {"sub": "u2"}}}}
    say({"message": "remember city Rome", "session_id": SESSION, **claim})
    (_, asked), (_, kept), (_, remembered) = aws.calls
    session = kept["TransactItems"][0]["Update"]
    assert session["ConditionExpression"] == "attribute_not_exists(session_id) OR user_id = :user"
    assert session["ExpressionAttributeValues"][":user"] == {"S": "u1"}
    assert asked["ExpressionAttributeValues"][":user"] == remembered["Item"]["user_id"] == {"S": "u1"}


def test_two_messages_at_once_are_no_error_of_the_chatbot(say: Any, aws: Any) -> None:
    aws.answers["transact_write_items"] = [cancelled("TransactionConflict", "None", "None")]
    status, document = say({"message": "hello", "session_id": SESSION})
    assert (status, document["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "body",
    [{}, {"message": " "}, {"message": ""}, {"message": "x" * 1001}, {"message": "x" * 5000}, {"message": 7},
     {"message": "\ud800"}, {"message": "remember city \udc00x"}, {"message": float("inf")}, {"message": ["x"]},
     {"message": "x", "more": float("nan")}, {"message": "x", "more": float("-inf")},
     *({"message": "x", "session_id": value} for value in ("../1", [1], "", 0, None, False, "\ud800" * 32, {})),
     '{"message": "x", "message": ""}', '{"message": ' + "[" * 100_000, '{"message": ' + "9" * 5000 + "}",
     "[]", "null", "", None, '{"message": "x"} {}'],
)  # fmt: skip
def test_a_message_that_the_model_would_refuse_is_refused_here_too(say: Any, aws: Any, body: Any) -> None:
    status, document = say(body)
    assert (status, document["error"]["code"], aws.calls) == (400, "bad_request", [])


@pytest.mark.parametrize("message", ["a\x00b\x07", "\u202e", "\U0001f468\u200d\U0001f469", "\ud83d\ude00", "x" * 1000])
def test_any_text_that_the_tables_take_is_answered(say: Any, message: str) -> None:
    assert say('{"message": ' + json.dumps(message) + ', "more": 1e400}')[0] == 200


def test_a_body_in_base64_is_read_and_headers_are_not_needed(say: Any, aws: Any) -> None:
    body = base64.b64encode(b'{"message": "hello"}').decode()
    assert say(body, isBase64Encoded=True, headers=None)[0] == 200
    assert say("%", isBase64Encoded=True)[0] == 400
    assert say({"message": "hello"}, headers={"Content-Type": "text/plain"})[0] == 200


def test_nobody_chats_without_signing_in(say: Any, aws: Any) -> None:
    assert say({"message": "hello"}, user=None)[0] == 401
    assert aws.calls == []


def test_a_preference_is_kept_and_forgotten(say: Any, aws: Any) -> None:
    assert say({"message": "Remember my city is  New York"})[1]["reply"] == "I keep New York as your city."
    say({"message": "forget city"})
    assert [name for name, _ in aws.calls] == [
        "query", "transact_write_items", "put_item", "query", "transact_write_items", "delete_item"
    ]  # fmt: skip
    assert aws.calls[2][1]["Item"]["preferred"] == {"S": "New York"}


@pytest.mark.parametrize(
    ("message", "known", "text"),
    [
        ("what do you know about me?", {"genre": "jazz", "city": "Oslo"}, "I know: city Oslo, genre jazz."),
        ("What do you know", {}, "I know nothing about you yet."),
        ("forget my genre!", {}, "I know no genre of yours."),
        ("remember artist Sigur Rós", {}, "I keep Sigur Rós as your artist."),
    ],
)
def test_the_commands_are_answered(load: Any, message: str, known: dict, text: str) -> None:
    assert load("chatbot", "replies").reply_to(message, known).text == text


def test_what_is_remembered_is_never_longer_than_its_limit(load: Any) -> None:
    reply = load("chatbot", "replies").reply_to("remember city " + "x" * 900, {})
    assert reply.remembered == ("city", "x" * 100)


def test_idle_sessions_are_closed_but_not_one_that_woke_up(chatbot: Any, aws: Any, capsys: Any) -> None:
    item = {"session_id": {"S": SESSION}, "last_message_at": {"S": "2026-07-01T00:00:00+00:00"}}
    aws.answers["query"] = [{"Items": [item, item]}, {"Items": [item]}]
    aws.answers["update_item"] = [{}, CHANGED, {}]
    assert chatbot.handler({"maintenance": "close-idle-sessions"}, None) == {"ClosedSessions": 2}
    before = aws.calls[0][1]["ExpressionAttributeValues"][":before"]["S"]
    assert 3590 < (datetime.now(UTC) - datetime.fromisoformat(before)).total_seconds() < 3700
    assert json.loads(capsys.readouterr().out)["ClosedSessions"] == 2


def test_open_sessions_are_counted_over_all_pages(chatbot: Any, aws: Any) -> None:
    aws.answers["query"] = [{"Count": 3}, {"Count": 4}]
    assert chatbot.handler({"maintenance": "report-sessions"}, None) == {"OpenSessions": 7}


def test_an_unknown_maintenance_fails_so_that_the_event_is_kept(chatbot: Any) -> None:
    with pytest.raises(KeyError, match="sweep"):
        chatbot.handler({"maintenance": "sweep"}, None)


def test_get_chat_says_that_the_chatbot_is_up(chatbot: Any) -> None:
    assert chatbot.handler({"httpMethod": "GET", "path": "/chat"}, None)["statusCode"] == 200
