"""Who plays a concert goes from core into the table of the stream's function, whatever becomes of one publication."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from concert_platform import warehouse
from concert_platform.settings import settings
from concert_platform.streams import concert_artists
from tests.contract.conftest import Emulator
from tests.contract.curated_runs import DAY, FIRST, NEXT_DAY, SECOND, T1, T2, Platform, event
from tests.contract.warehouse_platform import create_table

pytest_plugins = ["tests.contract.warehouse_platform"]

TODAY = date(2020, 3, 6)


@pytest.fixture
def table(empty: Platform, emulator: Emulator) -> Iterator[Any]:
    state = create_table(emulator, settings().ingest_state_table, "source", "item")
    made = create_table(emulator, settings().concert_artist_table, "concert_id")
    yield made
    state.delete()
    if made.name in emulator.client("dynamodb").list_tables()["TableNames"]:
        made.delete()


def load(platform: Platform, run: str, day: str, *events: dict[str, Any]) -> dict[str, str]:
    platform.curate(run, day, event=list(events))
    platform.load(run, day)
    return {"run_id": run, "dt": day}


def artists(table: Any) -> dict[str, str]:
    return {item["concert_id"]: item["artist_id"] for item in table.scan()["Items"]}


def expires(table: Any, concert: str) -> date:
    item = table.get_item(Key={"concert_id": concert})["Item"]
    return datetime.fromtimestamp(int(item["expires_at"]), UTC).date()


def test_concerts_with_a_known_artist_are_published_until_some_time_after_their_day(
    empty: Platform, table: Any
) -> None:
    given = load(
        empty, FIRST, DAY, event(1), event(2, artist_id=None), event(3, event_date=date(2020, 2, 1)),
        event(4, event_date=date(2019, 12, 1)), event(5, event_date=None),
        event(6, source="other", ingested_at=T1), event(6, artist_id="a2", ingested_at=T2),
    )  # fmt: skip
    for _ in range(2):
        concert_artists.publish([given], TODAY)
        assert artists(table) == {"e1": "a1", "e3": "a1", "e5": "a1", "e6": "a2"}  # of two sources the newer
    after = timedelta(days=90)
    assert [expires(table, one) for one in ("e1", "e3")] == [date(2020, 5, 1) + after, TODAY + after]
    assert expires(table, "e5") == TODAY + timedelta(days=730)


def test_a_publication_writes_what_was_loaded_since_the_last_one_and_takes_away_an_artist_that_is_gone(
    empty: Platform, table: Any
) -> None:
    first = load(empty, FIRST, DAY, *map(event, range(1, 5)))
    assert concert_artists.publish([first], TODAY) == 4
    changed = [event(1, artist_id="a9", ingested_at=T2), event(2, artist_id=None, ingested_at=T2)]
    second = load(empty, SECOND, NEXT_DAY, *changed)
    assert concert_artists.publish([second], TODAY) == 2
    assert artists(table) == {"e1": "a9", "e3": "a1", "e4": "a1"}


class Killed(BaseException):
    """The worker is gone."""


def test_the_next_publication_writes_what_a_killed_one_has_left(
    empty: Platform, table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(empty, FIRST, DAY, *map(event, range(1, 5)))
    write = concert_artists.write_batch

    def write_one(*arguments: Any) -> None:
        if artists(table):
            raise Killed
        write(*arguments)

    monkeypatch.setattr(concert_artists, "AT_ONCE", 2)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(concert_artists, "write_batch", write_one)
        concert_artists.publish([first], TODAY)
    assert len(artists(table)) == 2, "it was killed after a part was written"
    second = load(empty, SECOND, NEXT_DAY, event(5))
    assert concert_artists.publish([second], TODAY) == 5
    assert sorted(artists(table)) == ["e1", "e2", "e3", "e4", "e5"]


def test_of_two_loads_side_by_side_the_one_that_commits_later_is_published_too(empty: Platform, table: Any) -> None:
    first, second = load(empty, FIRST, DAY, event(1)), load(empty, SECOND, NEXT_DAY, event(2))
    warehouse.query(f"UPDATE core.fact_event SET loaded_at = '1969-01-01' WHERE updated_run_id = '{FIRST}'")
    concert_artists.publish([second], TODAY)
    assert artists(table) == {"e2": "a1"}
    concert_artists.publish([first], TODAY)
    assert artists(table) == {"e1": "a1", "e2": "a1"}


def test_without_the_table_nothing_is_lost_and_the_reason_is_said(empty: Platform, table: Any) -> None:
    given = load(empty, FIRST, DAY, event(1))
    table.delete()
    with pytest.raises(concert_artists.TableMissingError, match="deploy_infrastructure creates it"):
        concert_artists.publish([given], TODAY)
