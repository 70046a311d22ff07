"""Many events of the stream in one transaction: which of them count, when some do not."""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lambdas.conftest import cancelled
from tests.unit.lambdas.test_processor import EVENT, records

DONE: dict[str, list] = {"batchItemFailures": []}


class Tables:
    """Take a transaction as DynamoDB does: as a whole, or not at all with a reason per item."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.counts: Counter[str] = Counter()
        self.codes: dict[str, str] = {}  # by id or subject: why it is never taken
        self.sizes: list[int] = []
        self.is_silent = False  # about the item that it refuses

    def transact_write_items(self, TransactItems: list[dict[str, Any]]) -> dict:
        self.sizes.append(len(TransactItems))
        puts = [item["Put"]["Item"]["event_id"]["S"] for item in TransactItems if "Put" in item]
        updates = {item["Update"]["Key"]["subject"]["S"]: item["Update"] for item in TransactItems if "Update" in item}
        codes = ["ConditionalCheckFailed" if one in self.ids else self.codes.get(one, "None") for one in puts]
        codes += [self.codes.get(subject, "None") for subject in updates]
        if self.is_silent and set(self.codes) & {*puts, *updates}:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "TransactWriteItems")
        if set(codes) != {"None"}:
            raise cancelled(*codes)
        self.ids += puts
        for subject, update in updates.items():
            self.counts[subject] += int(update["ExpressionAttributeValues"][":all"]["N"])
        return {}


@pytest.fixture
def tables(aws: Any) -> Tables:
    found = Tables()
    aws.transact_write_items = found.transact_write_items
    return found


@pytest.fixture
def processor(load: Any, tables: Tables) -> Any:
    return load("concert_data_processor", "handler")


def event(number: int, artist: str = "a1", **changed: Any) -> dict[str, Any]:
    return {**EVENT, "event_id": f"e{number}", "artist_id": artist, "concert_id": None, **changed}


def buried(aws: Any) -> list[str]:
    """Sequence numbers of the dead letters."""
    return [json.loads(call["MessageBody"])["sequence_number"] for name, call in aws.calls if name == "send_message"]


def metrics(capsys: Any) -> tuple[int, int, int]:
    emitted = json.loads(capsys.readouterr().out)
    return emitted["CountedRecords"], emitted["DuplicateRecords"], emitted["PoisonRecords"]


def test_a_duplicate_inside_a_group_counts_once(processor: Any, tables: Tables, capsys: Any) -> None:
    assert processor.handler(records(event(1), event(2), event(1, "other")), None) == DONE
    assert tables.ids == ["e1", "e2"] and tables.counts == {"artist#a1": 2}  # the first of an id counts
    assert metrics(capsys) == (2, 1, 0)


def test_a_group_that_comes_again_with_more_counts_the_new_ones(processor: Any, tables: Tables, capsys: Any) -> None:
    processor.handler(records(event(1), event(2)), None)
    capsys.readouterr()
    assert processor.handler(records(event(1), event(3), event(2)), None) == DONE
    assert tables.ids == ["e1", "e2", "e3"] and tables.counts == {"artist#a1": 3}
    assert metrics(capsys) == (1, 2, 0)


@pytest.mark.parametrize("is_silent", [False, True])
def test_one_event_that_is_refused_is_buried_and_the_others_of_its_group_count(
    processor: Any, tables: Tables, aws: Any, capsys: Any, is_silent: bool
) -> None:
    tables.codes, tables.is_silent = {"e3": "ValidationError"}, is_silent
    assert processor.handler(records(*map(event, range(1, 6))), None) == DONE
    assert buried(aws) == ["3"]
    assert tables.ids == ["e1", "e2", "e4", "e5"] and tables.counts == {"artist#a1": 4}
    assert metrics(capsys) == (4, 0, 1)
    # The one alone and the others together, unless DynamoDB does not say which one it is.
    assert tables.sizes == ([6] + [2] * 5 if is_silent else [6, 3, 2, 3])


def test_only_the_events_of_a_full_aggregate_are_buried(processor: Any, tables: Tables, aws: Any, capsys: Any) -> None:
    tables.codes = {"artist#full": "ValidationError"}
    tables.ids = ["e2"]  # counted before it was full
    artists = ["a1", "full", "a1", "full", "full", "a2"]
    batch = records(*(event(number, artist) for number, artist in enumerate(artists, 1)))
    assert processor.handler(batch, None) == DONE
    assert buried(aws) == ["4", "5"]
    assert tables.ids == ["e2", "e1", "e3", "e6"] and tables.counts == {"artist#a1": 2, "artist#a2": 1}
    assert metrics(capsys) == (3, 1, 2)


def test_an_aggregate_that_has_room_for_some_types_only_takes_them(processor: Any, tables: Tables, aws: Any) -> None:
    take = tables.transact_write_items

    def no_room_for_likes(TransactItems: list[dict[str, Any]]) -> dict:
        names = str([item["Update"]["ExpressionAttributeNames"] for item in TransactItems if "Update" in item])
        tables.codes = {"artist#a1": "ValidationError"} if "like_count" in names else {}
        return take(TransactItems)

    aws.transact_write_items = no_room_for_likes
    assert processor.handler(records(event(1), event(2, type="like"), event(3)), None) == DONE
    assert (tables.ids, buried(aws)) == (["e1", "e3"], ["2"])


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError"])
def test_a_group_that_may_pass_later_is_given_back_and_then_counts_once(
    processor: Any, tables: Tables, aws: Any, code: str
) -> None:
    batch = records(event(1), event(2), event(3))
    tables.codes, tables.ids = {"artist#a1": code}, ["e2"]
    assert processor.handler(batch, None) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert buried(aws) == [] and tables.counts == {}
    tables.codes = {}
    assert processor.handler(batch, None) == DONE
    assert tables.ids == ["e2", "e1", "e3"] and tables.counts == {"artist#a1": 2}


def test_what_was_counted_before_a_failure_in_a_group_apart_is_not_given_back(
    processor: Any, tables: Tables, aws: Any, capsys: Any
) -> None:
    tables.codes = {"e2": "ValidationError", "artist#busy": "TransactionConflict"}
    batch = records(event(1), event(2), event(3, "busy"), event(4))
    assert processor.handler(batch, None) == {"batchItemFailures": [{"itemIdentifier": "3"}]}
    assert (tables.ids, buried(aws)) == (["e1"], ["2"])  # the fourth waits for the third
    assert metrics(capsys) == (1, 0, 1)
