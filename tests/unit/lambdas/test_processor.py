"""The stream's function: what counts, what is poison, and what is given back."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.conftest import STREAM, cancelled

EVENT = {"event_id": "e1", "type": "view", "user_id": "u1", "artist_id": "a1", "concert_id": "c1",
         "occurred_at": "2026-07-03T23:30:00-05:00"}  # fmt: skip
NOW = datetime(2026, 7, 10, tzinfo=UTC)


def record(data: bytes, number: int = 1) -> dict[str, Any]:
    return {
        "eventID": f"shardId-000000000000:{number}", "eventSourceARN": STREAM,
        "kinesis": {"sequenceNumber": str(number), "partitionKey": "u1", "data": base64.b64encode(data).decode(),
                    "approximateArrivalTimestamp": NOW.timestamp()},
    }  # fmt: skip


def records(*events: Any) -> dict[str, Any]:
    return {"Records": [record(json.dumps(event).encode(), number) for number, event in enumerate(events, 1)]}


def transactions(aws: Any) -> list[tuple[str, dict[str, Any]]]:
    return [call for call in aws.calls if call[0] == "transact_write_items"]


@pytest.fixture
def processor(load: Any) -> Any:
    return load("concert_data_processor", "handler")


@pytest.fixture
def interactions(load: Any) -> Any:
    return load("concert_data_processor", "interactions")


def test_one_transaction_remembers_the_event_and_adds_to_artist_and_concert(processor: Any, aws: Any) -> None:
    assert processor.handler(records(EVENT), None) == {"batchItemFailures": []}
    seen, artist, concert = aws.calls[0][1]["TransactItems"]
    assert seen["Put"]["Item"]["event_id"] == {"S": "e1"}
    assert seen["Put"]["ConditionExpression"] == "attribute_not_exists(event_id)"
    assert artist["Update"]["Key"] == {"subject": {"S": "artist#a1"}, "day": {"S": "2026-07-04"}}  # the day in UTC
    assert concert["Update"]["Key"]["subject"] == {"S": "concert#c1"}
    assert artist["Update"]["ExpressionAttributeNames"] == {"#0": "view_count"}


def test_the_events_of_a_batch_share_a_transaction_and_their_additions_an_update(processor: Any, aws: Any) -> None:
    kinds = ["view", "like", "view"]
    events = [{**EVENT, "event_id": f"e{number}", "type": kind} for number, kind in enumerate(kinds)]
    processor.handler(records(*events, events[0]), None)
    ((_, arguments),) = transactions(aws)
    puts, updates = ([item[kind] for item in arguments["TransactItems"] if kind in item] for kind in ("Put", "Update"))
    assert [put["Item"]["event_id"]["S"] for put in puts] == ["e0", "e1", "e2"]  # no item twice
    assert [update["ExpressionAttributeNames"] for update in updates] == [{"#0": "view_count", "#1": "like_count"}] * 2
    values = updates[0]["ExpressionAttributeValues"]
    assert [values[name]["N"] for name in (":all", ":0", ":1")] == ["3", "2", "1"]


def test_a_transaction_has_at_most_a_hundred_items(processor: Any, aws: Any) -> None:
    events = [{**EVENT, "event_id": f"e{number}", "artist_id": f"a{number % 7}"} for number in range(250)]
    processor.handler(records(*events), None)
    sizes = [len(arguments["TransactItems"]) for _, arguments in transactions(aws)]
    assert sizes == [100, 100, 74]  # 92 + 92 + 66 events, 7 artists and a concert


def test_the_events_that_were_counted_before_are_left_out_of_the_next_try(
    processor: Any, aws: Any, capsys: Any
) -> None:
    aws.answers["transact_write_items"] = [cancelled("None", "ConditionalCheckFailed", "None", "None", "None")]
    events = [{**EVENT, "event_id": f"e{number}"} for number in range(3)]
    assert processor.handler(records(*events), None) == {"batchItemFailures": []}
    again = [item["Put"]["Item"]["event_id"]["S"] for item in aws.calls[1][1]["TransactItems"] if "Put" in item]
    assert again == ["e0", "e2"]
    emitted = json.loads(capsys.readouterr().out)
    assert (emitted["CountedRecords"], emitted["DuplicateRecords"]) == (2, 1)


def test_the_aggregates_of_a_day_expire_together(processor: Any, aws: Any) -> None:
    processor.handler(records(EVENT), None)
    addition = aws.calls[0][1]["TransactItems"][1]["Update"]
    expires = datetime(2026, 7, 4, tzinfo=UTC) + timedelta(days=400)
    assert addition["UpdateExpression"].startswith("SET updated_at = :now, expires_at = :expires ")
    assert addition["ExpressionAttributeValues"][":expires"] == {"N": str(int(expires.timestamp()))}


def test_an_event_that_was_counted_before_is_not_an_error(processor: Any, aws: Any, capsys: Any) -> None:
    aws.answers["transact_write_items"] = [cancelled("ConditionalCheckFailed", "None", "None")]
    assert processor.handler(records(EVENT), None) == {"batchItemFailures": []}
    assert json.loads(capsys.readouterr().out)["DuplicateRecords"] == 1


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_the_batch_is_given_back_from_the_first_record_that_may_pass_later(processor: Any, aws: Any, code: str) -> None:
    aws.answers["transact_write_items"] = [{}, cancelled("None", code, "None")]
    poison = record(b"{", 2)
    batch = {"Records": [*records(EVENT)["Records"], poison, *records(EVENT, EVENT, EVENT)["Records"][2:]]}
    assert processor.handler(batch, None) == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    names = ["transact_write_items", "send_message", "transact_write_items", "put_object"]
    assert [name for name, _ in aws.calls] == names


@pytest.mark.parametrize("codes", [("None", "ValidationError"), ("None", "None", "ItemCollectionSizeLimitExceeded"),
                                   ("None", "TransactionConflict", "ValidationError")])  # fmt: skip
def test_what_the_tables_refuse_for_good_is_buried(
    processor: Any, aws: Any, codes: tuple[str, ...], capsys: Any
) -> None:
    aws.answers["transact_write_items"] = [cancelled(*codes)]
    assert processor.handler(records(EVENT), None) == {"batchItemFailures": []}
    assert [name for name, _ in aws.calls] == ["transact_write_items", "send_message", "put_object"]
    assert json.loads(aws.calls[1][1]["MessageBody"])["reason"] == f"DynamoDB refuses the record: {codes[-1]}: no"
    counts = json.loads(capsys.readouterr().out)
    assert (counts["CountedRecords"], counts["PoisonRecords"]) == (0, 1)


def test_a_transaction_that_is_invalid_as_a_whole_is_buried(processor: Any, aws: Any) -> None:
    invalid = {"Error": {"Code": "ValidationException", "Message": "One or more parameter values were invalid"}}
    aws.answers["transact_write_items"] = [ClientError(invalid, "TransactWriteItems")]  # type: ignore[arg-type]
    assert processor.handler(records(EVENT), None) == {"batchItemFailures": []}
    assert "One or more parameter values" in json.loads(aws.calls[1][1]["MessageBody"])["reason"]


def test_a_duplicate_is_one_even_if_the_aggregate_is_full(processor: Any, aws: Any) -> None:
    aws.answers["transact_write_items"] = [cancelled("ConditionalCheckFailed", "ValidationError")]
    assert processor.handler(records(EVENT), None) == {"batchItemFailures": []}
    assert len(transactions(aws)) == 1


def test_poison_goes_to_the_queue_with_its_reason_and_blocks_nothing(processor: Any, aws: Any) -> None:
    batch = {"Records": [record(b"\xff{", 1), record(json.dumps(EVENT).encode(), 2)]}
    assert processor.handler(batch, None) == {"batchItemFailures": []}
    (name, letter), (counted, _), _ = aws.calls
    body = json.loads(letter["MessageBody"])
    assert (name, counted) == ("send_message", "transact_write_items")
    assert (body["reason"], body["shard"], body["sequence_number"]) == (
        "the record is not JSON", "shardId-000000000000", "1"
    )  # fmt: skip
    assert base64.b64decode(body["data"]) == b"\xff{" and body["is_complete"]


def test_a_record_of_a_megabyte_is_kept_whole_and_its_letter_says_where(processor: Any, aws: Any) -> None:
    processor.handler({"Records": [record(b"x" * 1_000_000)]}, None)
    (kept, stored), (_, sent) = aws.calls[:2]
    letter = json.loads(sent["MessageBody"])
    assert len(sent["MessageBody"]) < 256 * 1024 and letter["is_complete"] is False
    assert (kept, stored["Key"], stored["Body"]) == ("put_object", letter["object"], b"x" * 1_000_000)
    assert letter["object"] == "stream/dt=2026-07-10/00/shardId-000000000000-1.poison"


def test_a_large_record_that_s3_does_not_take_is_given_back(processor: Any, aws: Any) -> None:
    aws.answers["put_object"] = [ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "PutObject")]
    answer = processor.handler({"Records": [record(b"x" * 1_000_000)]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert "send_message" not in [name for name, _ in aws.calls]


def test_poison_that_the_queue_does_not_take_is_tried_again(processor: Any, aws: Any) -> None:
    aws.answers["send_message"] = [cancelled()]
    assert processor.handler(records([]), None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        *(({name: None}, f"{name} is missing") for name in ("event_id", "type", "user_id", "occurred_at")),
        ({"artist_id": None, "concert_id": ""}, "artist_id or concert_id is missing"),
        ({"user_id": 7}, "user_id is not a text of at most 128 printable characters"),
        ({"artist_id": "a" * 129}, "artist_id is not a text of at most 128 printable characters"),
        ({"event_id": "\ud800"}, "event_id is not a text of at most 128 printable characters"),
        *(({"type": kind}, "type is none of attend, follow, like, save, share, ticket_click, view")
          for kind in ("View", "view_1", "a" * 32, ["view"], {"S": "view"})),
        ({"occurred_at": "yesterday"}, "occurred_at is not an ISO 8601 time"),
        ({"occurred_at": "2026-07-01T10:00:00"}, "occurred_at has no time zone"),
        ({"occurred_at": "2026-07-10T00:06:00Z"}, "occurred_at lies in the future"),
        ({"occurred_at": "2026-07-02T23:59:59Z"}, "occurred_at lies more than 7 days back"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at lies more than 7 days back"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at is not a time that a calendar has"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(interactions: Any, changed: dict, reason: str) -> None:
    with pytest.raises(interactions.InvalidInteractionError, match=f"^{reason}$"):
        interactions.Interaction.parse({**EVENT, **changed}, NOW)


def test_an_interaction_survives_the_way_through_the_stream(interactions: Any) -> None:
    found = interactions.Interaction.parse({**EVENT, "artist_id": "Björk 中島みゆき"}, NOW)
    again = interactions.Interaction.parse(json.loads(json.dumps(found.to_document())), NOW + timedelta(days=1))
    assert again == found
    assert found.places == [("artist#Björk 中島みゆき", "2026-07-04"), ("concert#c1", "2026-07-04")]


def test_an_event_that_the_api_took_in_its_last_second_is_not_poison_in_the_stream(processor: Any, aws: Any) -> None:
    oldest = NOW - timedelta(days=7, seconds=20)  # 20 seconds on its way
    processor.handler(records({**EVENT, "occurred_at": oldest.isoformat()}), None)
    assert [name for name, _ in aws.calls] == ["transact_write_items", "put_object"]


def test_an_event_that_lay_in_the_stream_for_its_longest_still_counts(
    processor: Any, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return NOW + timedelta(days=7)

    monkeypatch.setattr(processor, "datetime", Later)
    processor.handler(records({**EVENT, "occurred_at": (NOW - timedelta(days=6)).isoformat()}), None)
    assert [name for name, _ in aws.calls] == ["transact_write_items", "put_object"]


@pytest.mark.parametrize("data", [b'{"more": NaN}', b"[" * 100_000, b"9" * 5000, b"\xed\xa0\x80", b""])
def test_what_is_not_json_is_buried(processor: Any, aws: Any, data: bytes) -> None:
    assert processor.handler({"Records": [record(data)]}, None) == {"batchItemFailures": []}
    assert json.loads(aws.calls[0][1]["MessageBody"])["reason"] == "the record is not JSON"
