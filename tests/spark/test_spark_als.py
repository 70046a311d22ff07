"""ALS on Spark recommends what listeners of one taste have in common, and nothing that they know."""

import json
from pathlib import Path
from typing import Any

import pytest

from ml.recommender import spark_als

GROUPS, USERS, ARTISTS, LIMIT = 3, 30, 24, 3


@pytest.fixture(scope="module")
def listening(spark: Any) -> list[tuple[str, str, float]]:
    """Each user plays all artists of a group but two, which differ from user to user."""
    rows = []
    for user in range(USERS):
        own = [artist for artist in range(ARTISTS) if artist % GROUPS == user % GROUPS]
        left_out = {own[user % len(own)], own[(user // GROUPS + 3) % len(own)]}
        rows += [(f"u{user}", f"Künstler {artist}", 1.0 + artist) for artist in own if artist not in left_out]
    return rows


@pytest.fixture(scope="module")
def listed(spark: Any, listening: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("als")
    given = spark.createDataFrame([*listening, listening[0]], "user_id string, artist_id string, weight double")
    given.write.parquet((folder / "interactions").as_uri())
    places = ((folder / name).as_uri() for name in ("interactions", "scores", "checkpoints"))
    spark_als.run(spark, *places, LIMIT)
    files = Path(folder / "scores").glob("*.json")
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_every_user_has_a_list_that_begins_with_their_own_taste(listed: Any) -> None:
    first = {row["user_id"]: int(row["artist_id"].split()[1]) for row in listed if row["position"] == 1}
    assert len(first) == USERS
    assert {user for user, artist in first.items() if artist % GROUPS != int(user[1:]) % GROUPS} == set()


def test_nothing_known_is_listed_and_positions_follow_the_scores(listed: Any, listening: Any) -> None:
    known = {(user, artist) for user, artist, _ in listening}
    assert known.isdisjoint((row["user_id"], row["artist_id"]) for row in listed)
    for user in {row["user_id"] for row in listed}:
        own = sorted((row for row in listed if row["user_id"] == user), key=lambda row: row["position"])
        assert [row["position"] for row in own] == list(range(1, LIMIT + 1))
        assert [row["score"] for row in own] == sorted((row["score"] for row in own), reverse=True)
    assert {row["algorithm"] for row in listed} == {"collaborative"}
