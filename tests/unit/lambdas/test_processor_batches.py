"""What the stream's function hands on to the warehouse, and the schema by which it judges."""

import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.conftest import cancelled
from tests.unit.lambdas.test_processor import EVENT, record, records, transactions

CHANGE = {"event_id": "c1", "schema_version": 1, "type": "price_changed", "concert_id": "vv1",
          "occurred_at": "2026-07-09T12:00:00.5+00:00", "source": "ticketmaster",
          "properties": {"old_price_min": "49.50", "new_price_min": None}}  # fmt: skip
REFUSED = ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "PutObject")  # type: ignore[arg-type]


@pytest.fixture
def processor(load: Any) -> Any:
    return load("concert_data_processor", "handler")


@pytest.fixture
def schema(load: Any) -> Any:
    return load("concert_data_processor", "stream_events")


def written(aws: Any) -> list[tuple[str, list[dict[str, Any]], dict[str, str]]]:
    """Key, lines and metadata of each micro-batch."""
    return [
        (call["Key"], [json.loads(line) for line in gzip.decompress(call["Body"]).splitlines()], call["Metadata"])
        for name, call in aws.calls
        if name == "put_object"
    ]


def reasons(aws: Any) -> list[str]:
    return [json.loads(call["MessageBody"])["reason"] for name, call in aws.calls if name == "send_message"]


def test_the_valid_records_of_a_batch_are_one_object_duplicates_too(processor: Any, aws: Any) -> None:
    again = record(json.dumps(EVENT).encode(), 3)
    batch = {"Records": [*records(EVENT, CHANGE)["Records"], again, record(b"{", 4)]}
    assert processor.handler(batch, None) == {"batchItemFailures": []}
    ((key, lines, metadata),) = written(aws)
    assert key == "stream/dt=2026-07-10/00/shardId-000000000000-1.jsonl.gz"  # by its arrival
    assert [line["event_id"] for line in lines] == ["e1", "c1", "e1"]
    assert metadata == {"records": "3", "last-sequence-number": "4"}
    assert lines[1] == {
        "event_id": "c1", "schema_version": 1, "type": "price_changed", "user_id": None, "artist_id": None,
        "concert_id": "vv1", "occurred_at": "2026-07-09 12:00:00.500000", "event_date": "2026-07-09",
        "source": "ticketmaster", "properties": '{"new_price_min": null, "old_price_min": "49.50"}',
        "received_at": "2026-07-10 00:00:00.000000", "object_name": key,
    }  # fmt: skip


def test_a_batch_that_comes_again_writes_the_same_object(processor: Any, aws: Any) -> None:
    for _ in range(2):
        processor.handler(records(EVENT, CHANGE), None)
    first, second = [call for name, call in aws.calls if name == "put_object"]
    assert first == second


def test_a_batch_that_s3_does_not_take_is_given_back_as_a_whole(processor: Any, aws: Any, capsys: Any) -> None:
    aws.answers["put_object"] = [REFUSED]
    assert processor.handler(records(EVENT, CHANGE), None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    aws.answers["transact_write_items"] = [cancelled("ConditionalCheckFailed", "ConditionalCheckFailed")]
    assert processor.handler(records(EVENT, CHANGE), None) == {"batchItemFailures": []}
    assert len(written(aws)[-1][1]) == 2  # counted once, and handed on all the same
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["DuplicateRecords"] == 2


def test_only_what_was_taken_is_handed_on_when_the_rest_is_given_back(processor: Any, aws: Any) -> None:
    aws.answers["transact_write_items"] = [{}, cancelled("None", "TransactionConflict", "None")]
    batch = {"Records": [*records(EVENT)["Records"], record(b"{", 2), record(json.dumps(CHANGE).encode(), 3)]}
    assert processor.handler(batch, None) == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    ((_, lines, metadata),) = written(aws)
    assert ([line["event_id"] for line in lines], metadata["last-sequence-number"]) == (["e1"], "2")


def test_a_batch_of_poison_alone_writes_an_empty_object_for_whoever_waits(processor: Any, aws: Any) -> None:
    assert processor.handler({"Records": [record(b"{", 1), record(b"[", 2)]}, None) == {"batchItemFailures": []}
    ((key, lines, metadata),) = written(aws)
    assert (key, lines) == ("stream/dt=2026-07-10/00/shardId-000000000000-1.jsonl.gz", [])
    assert metadata == {"records": "0", "last-sequence-number": "2"}
    assert reasons(aws) == ["the record is not JSON"] * 2


def test_a_change_counts_for_its_concert_apart_from_the_interactions(processor: Any, aws: Any) -> None:
    fan = {**EVENT, "artist_id": None, "concert_id": "vv1", "occurred_at": "2026-07-09T12:00:00Z"}
    processor.handler(records(CHANGE, fan), None)
    (update,) = [item["Update"] for item in transactions(aws)[0][1]["TransactItems"] if "Update" in item]
    assert update["Key"]["subject"] == {"S": "concert#vv1"}
    assert update["UpdateExpression"].endswith("ADD interactions :all, changes :changes, #0 :0, #1 :1")
    assert update["ExpressionAttributeNames"] == {"#0": "price_changed_count", "#1": "view_count"}
    assert {update["ExpressionAttributeValues"][name]["N"] for name in (":all", ":changes", ":0", ":1")} == {"1"}


@pytest.mark.parametrize("version", [2, 0, -1, "1", None, 1.5, True, [1], {"v": 1}])
def test_a_schema_version_that_nobody_knows_is_buried_with_its_reason(processor: Any, aws: Any, version: Any) -> None:
    processor.handler(records({**EVENT, "schema_version": version}, {**EVENT, "event_id": "e2"}), None)
    assert reasons(aws) == [f"schema_version {str(version)!r} is unknown: this processor reads 1"]
    assert [line["event_id"] for line in written(aws)[0][1]] == ["e2"]  # and blocks nothing


def test_a_record_without_a_version_is_of_the_first(schema: Any, processor: Any, aws: Any) -> None:
    processor.handler(records(EVENT), None)
    assert written(aws)[0][1][0]["schema_version"] == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"concert_id": None}, "concert_id is missing"),
        ({"source": ""}, "source is missing"),
        ({"properties": ["flat"]}, "properties is not a flat JSON object"),
        ({"properties": {"a": {"b": 1}}}, "properties is not a flat JSON object"),
        ({"properties": {"a": "x" * 60_000}}, "properties is longer than 60000 characters"),
        ({"event_id": "中" * 43}, "event_id is longer than 128 bytes"),
        ({"occurred_at": "2026-07-10T00:06:00Z"}, "occurred_at lies in the future"),
    ],
)
def test_a_change_event_that_breaks_a_rule_is_buried(processor: Any, aws: Any, changed: dict, reason: str) -> None:
    late = {"occurred_at": "2026-07-10T00:11:00Z"} if "occurred_at" in changed else changed
    processor.handler(records({**CHANGE, **late}), None)
    assert reasons(aws) == [reason]


def test_an_id_of_another_script_fits_its_column(processor: Any, aws: Any) -> None:
    processor.handler(records({**EVENT, "artist_id": "中島みゆき" * 8}), None)
    assert written(aws)[0][1][0]["artist_id"] == "中島みゆき" * 8
