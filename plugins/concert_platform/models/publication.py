"""Scores in DynamoDB: what the API reads, one publication as a whole.

The table's key is (subject, publication). A publication writes its items under its own name, and at the end one item,
(`<model>/current`, `current`), is pointed at it: a reader that begins there never sees a mix, and a publication that
was killed is not seen at all. The pointer moves only to a publication of the same run or of one that was due later, so
that neither a run that is cleared long afterwards nor one that a rollback has overtaken takes readers back. Items
expire by the table's TTL weeks after their publication, long after the next one.

    recommender/user/<algorithm>/<user id>    the user's list, best first
    recommender/known/<user id>               artists that are never recommended to the user
    recommender/attended/<user id>            concerts that are not, by the attend events of the stream
    recommender/popular/all                   for those whom the model does not know
    recommender/artist/<artist id>            name and upcoming concerts of an artist
    recommender/place/<city or country>       its upcoming concerts, in small letters
    recommender/publication/all               figures of the model (publication.json)
    sales/concert/<concert id>                forecast, drivers and price range
    venues/venue/<venue id>                   analysis

`content` is JSON, compressed by gzip.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import batched, groupby
from typing import Any
from urllib.parse import urlsplit

from concert_platform.batch_writes import AT_ONCE, BatchNotTakenError, put, write_batch
from concert_platform.models.descriptions import Model
from concert_platform.settings import settings

CURRENT = "current"
DAYS_KEPT = 35  # nobody is served a forecast that is older
SECONDS_A_DAY = 86_400
Line = dict[str, Any]
Subject = tuple[str, Any]


class PublicationError(RuntimeError):
    """Scores could not be published; what was published before stays."""


class NewerPublicationError(PublicationError):
    """A run that was due later has published scores of the model, which stay."""


class ScoreFiles:
    """What a scoring job has written below a prefix."""

    def __init__(self, s3: Any, uri: str) -> None:
        self._s3 = s3
        self._place = urlsplit(uri)

    def lines(self, name: str) -> Iterator[Line]:
        for line in self._body(name).iter_lines():
            if line.strip():
                yield json.loads(line)

    def document(self, name: str) -> Line:
        return dict(json.load(self._body(name)))

    def _body(self, name: str) -> Any:
        key = f"{self._place.path.lstrip('/')}{name}"
        return self._s3.get_object(Bucket=self._place.netloc, Key=key)["Body"]


def publish(model: Model, scores_uri: str, publication: str, version: str, as_of: str, moment: str) -> int:
    """Write the scores of a scoring job and point at them; returns the number of items.

    The files are read line by line: memory grows only with the users who attend something, 500 concerts each at most.

    :param scores_uri: prefix that scoring has written to
    :param moment: when the run was due, as run_moment writes it
    :raises NewerPublicationError: when a run that was due later has published
    :raises PublicationError: when there is nothing to publish, or the table does not take it
    """
    import boto3

    client, table = boto3.client("dynamodb"), settings().model_score_table
    expires = int(time.time()) + DAYS_KEPT * SECONDS_A_DAY
    files = ScoreFiles(boto3.client("s3"), scores_uri)
    written = scores = 0
    for batch in batched(SUBJECTS[model.name](files, as_of), AT_ONCE):
        _write(client, table, [_item(f"{model.name}/{name}", publication, content, expires) for name, content in batch])
        written += len(batch)
        scores += sum(name.startswith(SCORES[model.name]) for name, _ in batch)
    if not scores and model.name != "sales":  # a day may have no upcoming event
        raise PublicationError(f"{scores_uri} holds no scores of {model.name}: the last ones stay; see the scoring job")
    pointer: dict[str, str | int] = {
        "name": publication, "model_version": version, "as_of": as_of, "run_moment": moment, "items": written,
        "published_at": int(time.time()),
    }  # fmt: skip
    _point(client, table, f"{model.name}/{CURRENT}", pointer)
    return written


def _point(client: Any, table: str, subject: str, pointer: Mapping[str, str | int]) -> None:
    """Point readers at a publication, unless a newer run has.

    :raises NewerPublicationError: when one has
    """
    stated = {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in pointer.items()}
    try:
        client.put_item(
            TableName=table,
            Item={"subject": {"S": subject}, "publication": {"S": CURRENT}, **stated},
            ConditionExpression="attribute_not_exists(run_moment) OR run_moment <= :moment",
            ExpressionAttributeValues={":moment": stated["run_moment"]},
        )
    except client.exceptions.ConditionalCheckFailedException as error:
        raise NewerPublicationError(
            f"a run that was due after {pointer['run_moment']} has published {subject.removesuffix(f'/{CURRENT}')}: "
            "its scores stay"
        ) from error


def read(model: str, subject: str) -> Any:
    """Content of a subject in the current publication, as a reader of the table finds it; None when there is none."""
    import boto3

    client, table = boto3.client("dynamodb"), settings().model_score_table
    pointer = _get(client, table, f"{model}/{CURRENT}", CURRENT)
    if pointer is None:
        return None
    item = _get(client, table, f"{model}/{subject}", pointer["name"]["S"])
    return None if item is None else json.loads(gzip.decompress(item["content"]["B"]))


def _get(client: Any, table: str, subject: str, publication: str) -> Any:
    key = {"subject": {"S": subject}, "publication": {"S": publication}}
    return client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")


# ---------------------------------------------------------------- subjects of a model


def _sales(files: ScoreFiles, _as_of: str) -> Iterator[Subject]:
    for row in files.lines("service/forecasts.json"):
        yield f"concert/{row['concert_id']}", row


def _venues(files: ScoreFiles, _as_of: str) -> Iterator[Subject]:
    for row in files.lines("analyses/analyses.json"):
        analysis = json.loads(row["analysis"]) | {"as_of": row["as_of"], "model_version": row["model_version"]}
        yield f"venue/{row['venue_id']}", analysis


def _recommender(files: ScoreFiles, as_of: str) -> Iterator[Subject]:
    ranked = files.lines("recommendations/recommendations.json")  # all rows of a user and algorithm one after another
    for (algorithm, user), rows in groupby(ranked, key=lambda row: (row["algorithm"], row["user_id"])):
        yield f"user/{algorithm}/{user}", [_place(row) for row in rows]
    for row in files.lines("known/known.json"):
        yield f"known/{row['user_id']}", row["artist_ids"]
    for user, concerts in _attended(as_of).items():
        yield f"attended/{user}", concerts
    yield (
        "popular/all",
        [{"artist_id": row["artist_id"], "score": row["score"]} for row in files.lines("popular/popular.json")],
    )
    for row in files.lines("artists/artists.json"):
        yield f"artist/{row['artist_id']}", {"name": row["name"], "events": row["events"]}
    for row in files.lines("places/places.json"):
        yield f"place/{row['place']}", row["events"]
    yield "publication/all", files.document("publication.json")


def _attended(as_of: str) -> dict[str, list[str]]:
    """Concerts by user. They are no scores, so that those of every version do with them."""
    from concert_platform.warehouse import query, render

    (statement,) = render(["load/attended_concerts.sql"], as_of=as_of)
    attended: dict[str, list[str]] = {}
    for user, concert in query(statement):
        attended.setdefault(user, []).append(concert)
    return attended


def _place(row: Line) -> Line:
    return {name: row[name] for name in ("artist_id", "score", "signal", "because")}


SCORES = {"sales": "concert/", "recommender": "user/", "venues": "venue/"}  # subjects without which there is no score
SUBJECTS: dict[str, Callable[[ScoreFiles, str], Iterator[Subject]]] = {
    "sales": _sales,
    "recommender": _recommender,
    "venues": _venues,
}


# ---------------------------------------------------------------- S3 and DynamoDB


def _item(subject: str, publication: str, content: Any, expires: int) -> dict[str, Any]:
    packed = gzip.compress(json.dumps(content).encode(), mtime=0)
    return {
        "subject": {"S": subject},
        "publication": {"S": publication},
        "content": {"B": packed},
        "expires_at": {"N": str(expires)},
    }


def _write(client: Any, table: str, items: Iterable[dict[str, Any]]) -> None:
    """Put items, again what the table does not take at once.

    :raises PublicationError: when it does not take them for half a minute
    """
    # A batch may hold a key only once: of two lists of one user the later stays.
    unique = {item["subject"]["S"]: item for item in items}
    try:
        write_batch(client, table, map(put, unique.values()))
    except BatchNotTakenError as error:
        raise PublicationError(f"{error}: the last scores stay") from error
