"""Scores in DynamoDB: a reader sees one publication as a whole, whatever happens to the next one."""

import json
import tracemalloc
from typing import Any

import pytest

from concert_platform import model_tasks
from concert_platform import settings as settings_module
from concert_platform.compat import AirflowSkipException
from concert_platform.models import publication
from tests.contract.conftest import Emulator
from tests.contract.curated_runs import Platform
from tests.contract.model_platform import DAY, MOMENT, RECOMMENDER, SALES, VENUES, put, put_lines, scores_of

pytest_plugins = ["tests.contract.warehouse_platform", "tests.contract.model_platform"]

LATER = "20200305T030000-000000"


def scored(platform: Platform, run: str, users: int, artist: str, algorithms: tuple[str, ...] = ("hybrid",)) -> str:
    """What a scoring job of the recommender writes; returns its prefix."""
    uri = scores_of(run, "recommender")
    rows = [
        {"user_id": f"u{user}", "algorithm": algorithm, "position": position, "artist_id": f"{artist}{position}",
         "score": 1 / position, "signal": "items", "because": None, "as_of": DAY}
        for algorithm in algorithms for user in range(users) for position in (1, 2)
    ]  # fmt: skip
    put_lines(platform, f"{uri}recommendations/recommendations.json", rows)
    put_lines(
        platform, f"{uri}popular/popular.json", [{"position": 1, "artist_id": artist, "score": 0.9, "as_of": DAY}]
    )
    known = [{"user_id": f"u{user}", "artist_ids": ["a9"]} for user in range(users)]
    put_lines(platform, f"{uri}known/known.json", known)
    for name in ("artists", "places"):
        put_lines(platform, f"{uri}{name}/{name}.json", [])
    put(platform, f"{uri}publication.json", json.dumps({"users": users, "as_of": DAY}, indent=2).encode())
    return uri


def artists(user: str, algorithm: str = "hybrid") -> list[str]:
    return [place["artist_id"] for place in publication.read("recommender", f"user/{algorithm}/{user}") or []]


def test_a_publication_is_read_by_subject(registered: Platform) -> None:
    uri = scored(registered, "run-1", 2, "a", ("hybrid", "content"))
    assert publication.publish(RECOMMENDER, uri, "v1-1", "v1", DAY, MOMENT) == 2 * 2 + 2 + 2
    assert artists("u1") == artists("u1", "content") == ["a1", "a2"]
    assert publication.read("recommender", "known/u0") == ["a9"]
    assert publication.read("recommender", "popular/all") == [{"artist_id": "a", "score": 0.9}]
    assert publication.read("recommender", "publication/all") == {"users": 2, "as_of": DAY}
    assert publication.read("recommender", "user/hybrid/nobody") is None


def test_forecasts_and_analyses_are_read_with_their_version(registered: Platform) -> None:
    uri = scores_of("run-1", "sales")
    put_lines(registered, f"{uri}service/forecasts.json", [{"concert_id": "e1", "expected_tickets": 5, "drivers": []}])
    publication.publish(SALES, uri, "v1-1", "v1", DAY, MOMENT)
    assert publication.read("sales", "concert/e1") == {"concert_id": "e1", "expected_tickets": 5, "drivers": []}
    uri = scores_of("run-1", "venues")
    row = {"venue_id": "v1", "analysis": json.dumps({"venue": "Hall"}), "as_of": DAY, "model_version": "v1"}
    put_lines(registered, f"{uri}analyses/analyses.json", [row])
    publication.publish(VENUES, uri, "v1-1", "v1", DAY, MOMENT)
    assert publication.read("venues", "venue/v1") == {"venue": "Hall", "as_of": DAY, "model_version": "v1"}


class Killed(BaseException):
    """The worker is gone."""


def test_a_publication_killed_halfway_is_not_seen_and_its_repetition_is(
    registered: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.publish(RECOMMENDER, scored(registered, "run-1", 40, "a"), "v1-1", "v1", DAY, MOMENT)
    uri, write = scored(registered, "run-2", 40, "b"), publication._write
    batches: list[int] = []

    def write_one(client: Any, table: str, items: list[dict[str, Any]]) -> None:
        if batches:
            raise Killed
        batches.append(len(items))
        write(client, table, items)

    monkeypatch.setattr(publication, "_write", write_one)
    with pytest.raises(Killed):
        publication.publish(RECOMMENDER, uri, "v1-2", "v1", DAY, MOMENT)
    assert batches == [publication.AT_ONCE], "it was killed after a part was written"
    assert {tuple(artists(f"u{user}")) for user in range(40)} == {("a1", "a2")}
    monkeypatch.setattr(publication, "_write", write)
    publication.publish(RECOMMENDER, uri, "v1-2", "v1", DAY, MOMENT)
    assert {tuple(artists(f"u{user}")) for user in range(40)} == {("b1", "b2")}


def test_who_is_no_longer_scored_is_no_longer_served(registered: Platform) -> None:
    publication.publish(RECOMMENDER, scored(registered, "run-1", 2, "a"), "v1-1", "v1", DAY, MOMENT)
    publication.publish(RECOMMENDER, scored(registered, "run-2", 1, "b"), "v1-2", "v1", DAY, MOMENT)
    assert (artists("u0"), artists("u1")) == (["b1", "b2"], [])


def test_scores_without_a_row_replace_nothing(registered: Platform) -> None:
    uri = scores_of("run-1", "venues")
    put_lines(registered, f"{uri}analyses/analyses.json", [])
    with pytest.raises(publication.PublicationError, match="holds no scores of venues: the last ones stay"):
        publication.publish(VENUES, uri, "v1-1", "v1", DAY, MOMENT)


def test_popular_artists_without_a_list_of_a_user_replace_nothing(registered: Platform) -> None:
    publication.publish(RECOMMENDER, scored(registered, "run-1", 1, "a"), "v1-1", "v1", DAY, MOMENT)
    with pytest.raises(publication.PublicationError, match="holds no scores of recommender: the last ones stay"):
        publication.publish(RECOMMENDER, scored(registered, "run-2", 0, "b"), "v1-2", "v1", DAY, LATER)
    assert artists("u0") == ["a1", "a2"]


def test_a_run_publishes_again_and_over_older_ones_but_never_over_a_newer_one(registered: Platform) -> None:
    old, new = scored(registered, "run-1", 1, "a"), scored(registered, "run-2", 1, "b")
    publication.publish(RECOMMENDER, old, "v1-1", "v1", DAY, MOMENT)
    for _ in range(2):
        publication.publish(RECOMMENDER, new, "v1-2", "v1", "2020-03-03", LATER)
    assert artists("u0") == ["b1", "b2"], "the later run has won, whatever day it was told"
    with pytest.raises(publication.NewerPublicationError, match="has published recommender: its scores stay"):
        publication.publish(RECOMMENDER, old, "v1-1", "v1", DAY, MOMENT)
    assert artists("u0") == ["b1", "b2"]


def test_the_task_of_an_overtaken_run_is_skipped_with_the_reason(registered: Platform) -> None:
    publication.publish(RECOMMENDER, scored(registered, "run-2", 1, "b"), "v1-2", "v1", DAY, LATER)
    serving, old = {"version": "v1"}, {"scores": scored(registered, "run-1", 1, "a")}
    with pytest.raises(AirflowSkipException, match=f"a run that was due after {MOMENT} has published recommender"):
        model_tasks.write_for_api.function("recommender", serving, old, DAY, MOMENT)
    assert artists("u0") == ["b1", "b2"]


def test_items_expire_and_the_pointer_does_not(registered: Platform, emulator: Emulator) -> None:
    publication.publish(RECOMMENDER, scored(registered, "run-1", 1, "a"), "v1-1", "v1", DAY, MOMENT)
    table = settings_module.settings().model_score_table
    items = emulator.client("dynamodb").scan(TableName=table)["Items"]
    own = [item for item in items if item["publication"]["S"] == "v1-1"]
    pointer = [item for item in items if item["subject"]["S"] == "recommender/current"]
    assert own and all("expires_at" in item for item in own)
    assert "expires_at" not in pointer[0]


def test_memory_does_not_grow_with_the_number_of_users(registered: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def peak(users: int) -> int:
        uri = scored(registered, f"run-{users}", users, "a")
        monkeypatch.setattr(publication, "_write", lambda client, table, items: None)
        tracemalloc.start()
        publication.publish(RECOMMENDER, uri, "v1-1", "v1", DAY, MOMENT)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small = peak(500)
    assert peak(10_000) < small + 500_000, "two megabytes of lines leave no trace"
