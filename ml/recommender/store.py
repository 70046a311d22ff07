"""What the nightly run published, as the service reads it: an interface, and its forms in memory and in files.

table.py has the form on DynamoDB.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol


class PublicationError(ValueError):
    """Published scores that cannot be read; the message names the place, the reason and what to do."""


@dataclass(frozen=True)
class Scored:
    """A published artist of a list.

    :param because: the artist, tag or friend behind the signal, where there is one
    """

    artist_id: str
    score: float
    signal: str = "popularity"
    because: str | None = None


@dataclass(frozen=True)
class Event:
    """A concert, of any day: the service decides what is upcoming."""

    concert_id: str
    artist_id: str
    name: str
    event_date: date
    venue: str = ""
    city: str = ""
    country: str = ""
    status: str = ""


@dataclass(frozen=True)
class Known:
    """What a user has: artists listened to, concerts attended."""

    artists: frozenset[str] = frozenset()
    concerts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Publication:
    """What is said about the scores as a whole.

    :param users: users that the model was trained on
    :param metrics: figures of the model on held-out pairs, and ``baseline`` those of popularity
    """

    model_version: str
    as_of: date
    feature_schema: int
    users: int
    metrics: Mapping[str, float]
    baseline: Mapping[str, float]


class RecommendationStore(Protocol):
    """Implemented on files here, on DynamoDB in table.py."""

    def publication(self) -> Publication: ...
    def user_ids(self, algorithm: str) -> Iterable[str]: ...
    def recommendations(self, user_id: str, algorithm: str) -> list[Scored]: ...
    def known(self, user_id: str) -> Known: ...
    def popular(self) -> list[Scored]: ...
    def events_of(self, artist_id: str) -> list[Event]: ...
    def events_in(self, place: str) -> list[Event]: ...
    def artist_name(self, artist_id: str) -> str: ...


@dataclass
class InMemoryStore:
    """Lists by user and algorithm; ``events`` in any order."""

    published: Publication
    lists: dict[str, dict[str, list[Scored]]]  # algorithm -> user -> best first
    popular_artists: list[Scored]
    history: dict[str, Known] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_artist: dict[str, list[Event]] = defaultdict(list)
        self._by_place: dict[str, list[Event]] = defaultdict(list)
        for event in sorted(self.events, key=lambda event: (event.event_date, event.concert_id)):
            self._by_artist[event.artist_id].append(event)
            for place in {event.city.casefold(), event.country.casefold()} - {""}:
                self._by_place[place].append(event)

    def publication(self) -> Publication:
        return self.published

    def user_ids(self, algorithm: str) -> Iterable[str]:
        return self.lists.get(algorithm, {}).keys()

    def recommendations(self, user_id: str, algorithm: str) -> list[Scored]:
        return self.lists.get(algorithm, {}).get(user_id, [])

    def known(self, user_id: str) -> Known:
        return self.history.get(user_id, Known())

    def popular(self) -> list[Scored]:
        return self.popular_artists

    def events_of(self, artist_id: str) -> list[Event]:
        return self._by_artist.get(artist_id, [])

    def events_in(self, place: str) -> list[Event]:
        return self._by_place.get(place.casefold(), [])

    def artist_name(self, artist_id: str) -> str:
        return self.names.get(artist_id, artist_id)


def read_files(folder: Path) -> InMemoryStore:
    """The folder that predict.py writes, which says nothing of concerts attended: the warehouse knows those.

    :raises PublicationError: when a file is missing or damaged
    """
    try:
        stated = json.loads((folder / "publication.json").read_text())
        publication = publication_of(stated)
        lists: dict[str, dict[str, list[Scored]]] = defaultdict(lambda: defaultdict(list))
        rows = sorted(_rows(folder / "recommendations" / "recommendations.json"), key=lambda row: row["position"])
        for row in rows:
            scored = Scored(row["artist_id"], row["score"], row["signal"], row["because"])
            lists[row["algorithm"]][row["user_id"]].append(scored)
        popular = [Scored(row["artist_id"], row["score"]) for row in _rows(folder / "popular" / "popular.json")]
        known = {row["user_id"]: Known(frozenset(row["artist_ids"])) for row in _rows(folder / "known" / "known.json")}
        artists = list(_rows(folder / "artists" / "artists.json"))
        events = [event_of(row) for artist in artists for row in artist["events"]]
        names = {artist["artist_id"]: artist["name"] for artist in artists if artist["name"]}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PublicationError(f"{folder} holds no usable recommendations ({error}): publish them again") from error
    return InMemoryStore(
        publication, {name: dict(users) for name, users in lists.items()}, popular, known, events, names
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def publication_of(stated: Mapping[str, Any]) -> Publication:
    """The content of publication.json."""
    return Publication(
        model_version=stated["model_version"],
        as_of=date.fromisoformat(stated["as_of"]),
        feature_schema=stated["feature_schema"],
        users=stated["users"],
        metrics=stated["metrics"],
        baseline=stated["baseline"],
    )


def event_of(row: Mapping[str, Any]) -> Event:
    """An event of artists.json or places.json."""
    return Event(
        concert_id=row["concert_id"],
        artist_id=row["artist_id"] or "",
        name=row["name"] or "",
        event_date=date.fromisoformat(str(row["event_date"])[:10]),
        venue=row.get("venue") or "",
        city=row.get("city") or "",
        country=row.get("country") or "",
        status=row.get("status") or "",
    )
