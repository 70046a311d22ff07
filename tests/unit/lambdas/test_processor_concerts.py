"""An event that names a concert and no artist counts for the concert's artist too, where that is known."""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from tests.unit.lambdas.conftest import cancelled
from tests.unit.lambdas.test_processor import EVENT, record, records, transactions
from tests.unit.lambdas.test_processor_batches import CHANGE

TABLE = "concert_artist_table"
FAN = {**EVENT, "artist_id": None}  # of concert c1
THROTTLED = ClientError({"Error": {"Code": "ThrottlingException", "Message": ""}}, "BatchGetItem")  # type: ignore[arg-type]


@pytest.fixture
def processor(load: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    handler = load("concert_data_processor", "handler")
    monkeypatch.setattr(load("concert_data_processor", "concerts").time, "sleep", lambda seconds: None)
    return handler


def known(**artists: str) -> dict[str, Any]:
    items = [{"concert_id": {"S": concert}, "artist_id": {"S": artist}} for concert, artist in artists.items()]
    return {"Responses": {TABLE: items}}


def unanswered(*concerts: str) -> dict[str, Any]:
    return {"UnprocessedKeys": {TABLE: {"Keys": [{"concert_id": {"S": concert}} for concert in concerts]}}}


def asked(aws: Any) -> list[list[str]]:
    """Concerts of each question to the table."""
    calls = [arguments["RequestItems"][TABLE] for name, arguments in aws.calls if name == "batch_get_item"]
    return [[key["concert_id"]["S"] for key in call["Keys"]] for call in calls]


def counted(aws: Any) -> list[set[str]]:
    """Subjects of each transaction."""
    return [
        {item["Update"]["Key"]["subject"]["S"] for item in arguments["TransactItems"] if "Update" in item}
        for _, arguments in transactions(aws)
    ]


def handed_on(aws: Any) -> list[list[str | None]]:
    """Artist of each line of each micro-batch."""
    bodies = [gzip.decompress(arguments["Body"]) for name, arguments in aws.calls if name == "put_object"]
    return [[json.loads(line)["artist_id"] for line in body.splitlines()] for body in bodies]


def unknown(capsys: Any) -> list[int]:
    return [json.loads(line)["UnknownConcertRecords"] for line in capsys.readouterr().out.splitlines()]


def test_interaction_and_change_count_for_the_artist_of_their_concert(processor: Any, aws: Any, capsys: Any) -> None:
    aws.answers["batch_get_item"] = [known(c1="björk", vv1="a2")]
    assert processor.handler(records(FAN, CHANGE), None) == {"batchItemFailures": []}
    assert asked(aws) == [["c1", "vv1"]]
    assert counted(aws) == [{"artist#björk", "concert#c1", "artist#a2", "concert#vv1"}]
    assert handed_on(aws) == [["björk", "a2"]]
    assert unknown(capsys) == [0]


def test_who_names_an_artist_keeps_it_and_nobody_is_asked(processor: Any, aws: Any) -> None:
    processor.handler({"Records": [*records(EVENT)["Records"], record(b"{", 2)]}, None)
    assert (asked(aws), handed_on(aws)) == ([], [["a1"]])


def test_an_unknown_concert_counts_without_artist_and_is_told(processor: Any, aws: Any, capsys: Any) -> None:
    aws.answers["batch_get_item"] = [known(vv1="a2")]
    processor.handler(records(FAN, {**FAN, "event_id": "e2"}, CHANGE, EVENT), None)
    assert asked(aws) == [["c1", "vv1"]]  # a concert once
    assert handed_on(aws) == [[None, None, "a2", "a1"]]
    assert unknown(capsys) == [2]


def test_many_concerts_are_asked_for_by_the_hundred(processor: Any, aws: Any) -> None:
    processor.handler(records(*({**FAN, "event_id": f"e{n}", "concert_id": f"c{n}"} for n in range(230))), None)
    assert [len(one) for one in asked(aws)] == [100, 100, 30]


def test_keys_without_an_answer_are_asked_for_again(processor: Any, aws: Any) -> None:
    aws.answers["batch_get_item"] = [known(vv1="a2") | unanswered("c1"), known(c1="a1")]
    processor.handler(records(FAN, CHANGE), None)
    assert (asked(aws), handed_on(aws)) == ([["c1", "vv1"], ["c1"]], [["a1", "a2"]])


@pytest.mark.parametrize(
    "answers", [[THROTTLED], [EndpointConnectionError(endpoint_url="http://x")], [unanswered("c1")] * 4]
)
def test_a_batch_whose_artists_are_not_told_is_given_back_as_a_whole(processor: Any, aws: Any, answers: list) -> None:
    aws.answers["batch_get_item"] = list(answers)
    batch = records({**EVENT, "event_id": "e0"}, FAN)
    assert processor.handler(batch, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert {name for name, _ in aws.calls} == {"batch_get_item"}, "nothing counts without its artist"
    assert len(asked(aws)) == len(answers)


def test_a_batch_that_comes_again_with_another_answer_counts_nothing_twice(processor: Any, aws: Any) -> None:
    refused = ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "PutObject")  # type: ignore[arg-type]
    aws.answers = {"batch_get_item": [known(), known(c1="late")], "put_object": [refused]}
    assert processor.handler(records(FAN), None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    aws.answers["transact_write_items"] = [cancelled("ConditionalCheckFailed", "None", "None")]
    assert processor.handler(records(FAN), None) == {"batchItemFailures": []}
    assert counted(aws) == [{"concert#c1"}, {"artist#late", "concert#c1"}]  # the second transaction was cancelled
    assert len({arguments["Key"] for name, arguments in aws.calls if name == "put_object"}) == 1  # overwritten
    assert handed_on(aws)[-1] == ["late"]  # the aggregate keeps the first answer, the micro-batch has the last one
