"""Recommendations in DynamoDB, as the service reads them (store.RecommendationStore).

    user/<algorithm>/<user id>, known/<user id>, popular/all, publication/all    as predict.py writes them
    attended/<user id>    ids of upcoming concerts
    artist/<artist id>    {name, events}: predict.py's artists.json
    place/<place>         its events, the name of the city or country in small letters: predict.py's places.json

Where no artist or place is published, an artist is called by its id and no concert is upcoming.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ml.published import AT_ONCE, PublishedScores
from ml.recommender.schema import MODEL_NAME
from ml.recommender.store import Event, Known, Publication, PublicationError, Scored, event_of, publication_of


class DynamoStore:
    """One publication, what was read of it kept: make a store for each request.

    :param client: of DynamoDB; without one, boto3's with its own configuration
    """

    def __init__(self, table: str, client: Any = None) -> None:
        self._table, self._scores = table, PublishedScores(table, MODEL_NAME, client)
        self._popular: list[Scored] | None = None
        self._artists: dict[str, dict[str, Any]] = {}
        self._listed: dict[str, None] = {}  # artists that the service will ask for, in its order

    def publication(self) -> Publication:
        """
        :raises PublicationError: when what is published has expired, or is damaged
        """
        stated = self._scores.content("publication/all")
        if stated is None:
            raise PublicationError(f"the recommendations in {self._table} have expired: see why retrain_models fails")
        try:
            return publication_of(stated)
        except (KeyError, TypeError, ValueError) as error:
            raise PublicationError(
                f"the recommendations in {self._table} are damaged ({error!r}): publish them again"
            ) from error

    def user_ids(self, algorithm: str) -> Iterable[str]:
        """Reads the whole table: for validate_model alone."""
        prefix = f"user/{algorithm}/"
        return [subject.removeprefix(prefix) for subject in self._scores.subjects(prefix)]

    def recommendations(self, user_id: str, algorithm: str) -> list[Scored]:
        return self._scored(self._scores.content(f"user/{algorithm}/{user_id}") or [])

    def known(self, user_id: str) -> Known:
        names = artists, concerts = f"known/{user_id}", f"attended/{user_id}"
        found = self._scores.contents(names)
        return Known(frozenset(found.get(artists, ())), frozenset(found.get(concerts, ())))

    def popular(self) -> list[Scored]:
        if self._popular is None:
            self._popular = self._scored(self._scores.content("popular/all") or [])
        return self._popular

    def events_of(self, artist_id: str) -> list[Event]:
        return [event_of(row) for row in self._artist(artist_id).get("events", ())]

    def events_in(self, place: str) -> list[Event]:
        events = [event_of(row) for row in self._scores.content(f"place/{place.casefold()}") or ()]
        self._listed |= dict.fromkeys(event.artist_id for event in events)
        return events

    def artist_name(self, artist_id: str) -> str:
        return str(self._artist(artist_id).get("name") or artist_id)

    def _scored(self, rows: list[dict[str, Any]]) -> list[Scored]:
        self._listed |= dict.fromkeys(
            name for row in rows for name in (row["artist_id"], row.get("because")) if name is not None
        )
        return [
            Scored(row["artist_id"], row["score"], row.get("signal", "popularity"), row.get("because")) for row in rows
        ]

    def _artist(self, artist_id: str) -> dict[str, Any]:
        """One request brings also those that will be asked for next: a list of ten would else take twenty."""
        if artist_id not in self._artists:
            next_ones = [name for name in self._listed if name not in self._artists and name != artist_id]
            wanted = [artist_id, *next_ones][:AT_ONCE]
            found = self._scores.contents(f"artist/{name}" for name in wanted)
            self._artists |= {name: found.get(f"artist/{name}", {}) for name in wanted}
            self._listed = dict.fromkeys(name for name in self._listed if name not in self._artists)
        return self._artists[artist_id]
