"""Recommendations to show: artists of the published lists, with their next concert where one is upcoming.

Reads what the nightly run published (store.RecommendationStore) and computes nothing that needs the model.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ml.recommender.schema import ALGORITHMS, FEATURE_SCHEMA
from ml.recommender.store import Event, Known, RecommendationStore, Scored, read_files

PUBLISHED_FOLDER = "RECOMMENDATIONS_FOLDER"
MOST = 1_000  # a longer wish is cut to this
FULL_LIST = 10
LEAST_COMPLETE = 0.95
OLDEST_DAYS = 2  # a night may fail; two in a row are a stale model
NOT_HELD = frozenset({"cancelled", "canceled", "postponed"})
WORDS = {
    "similar_artists": "listeners of {because} play it",
    "similar_listeners": "listeners with your taste play it, as they do {because}",
    "tags": "it is tagged {because}, like artists you play",
    "friends": "your friend {because} plays it",
    "popularity": "many listeners play it",
    "popular_here": "the best known concert near {because}",
}


class RequestError(ValueError):
    """A question that cannot be answered: the message says what to ask instead."""


@dataclass(frozen=True)
class Recommendation:
    """
    :param kind: event when the artist has an upcoming concert that the user has not attended, else artist
    :param score: compares within one answer only
    """

    kind: str
    artist_id: str
    artist: str
    score: float
    signal: str
    because: str | None
    reason: str
    event: Event | None = None


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    observed: str
    required: str


@dataclass(frozen=True)
class ValidationReport:
    model_version: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


class RecommendationService:
    """Answers from published scores.

    :param store: without one, the files in the folder that RECOMMENDATIONS_FOLDER names
    :param as_of: day that decides what is upcoming; without one, the day of the publication
    """

    def __init__(self, store: RecommendationStore | None = None, as_of: date | None = None) -> None:
        if store is None:
            folder = os.environ.get(PUBLISHED_FOLDER)
            if not folder:
                raise RequestError(f"{PUBLISHED_FOLDER} is not set: name the folder of published recommendations")
            store = read_files(Path(folder))
        self._store = store
        self._as_of = as_of or store.publication().as_of

    def get_recommendations(
        self, user_id: str, limit: int = 10, *, algorithm: str = "hybrid", place: str | None = None
    ) -> list[Recommendation]:
        """Best first, each artist once; without artists that the user knows, attended concerts, and past ones.

        A user without a published list gets concerts at the place by the popularity of their artists, then the most
        popular artists. A list shorter than the limit is filled with popular artists.

        :param limit: above 1,000 it is taken as 1,000; the answer is shorter where there is no more
        :param place: city or country whose concerts are preferred
        :raises RequestError: for a limit below 1 or another algorithm
        """
        if limit < 1:
            raise RequestError(f"limit {limit} asks for nothing: give 1 or more")
        if algorithm not in ALGORITHMS:
            raise RequestError(f"{algorithm} is no algorithm: choose one of {', '.join(ALGORITHMS)}")
        known = self._store.known(user_id)
        answer: dict[str, Recommendation] = {}
        for scored in self._ordered(user_id, algorithm, place):
            if len(answer) >= min(limit, MOST):
                break
            if scored.artist_id not in answer and scored.artist_id not in known.artists:
                answer[scored.artist_id] = self._shown(scored, known, place)
        return list(answer.values())

    def _ordered(self, user_id: str, algorithm: str, place: str | None) -> Iterator[Scored]:
        published = self._store.recommendations(user_id, algorithm)
        yield from published
        if not published and place:
            yield from self._popular_in(place)
        # Shares of listeners and blended scores have different scales: what fills up a list stands below it.
        least = min((scored.score for scored in published), default=None)
        for popular in self._store.popular():
            score = popular.score if least is None else least - 1 + popular.score
            yield Scored(popular.artist_id, score, popular.signal, popular.because)

    def _popular_in(self, place: str) -> list[Scored]:
        fame = {scored.artist_id: scored.score for scored in self._store.popular()}
        artists = {event.artist_id for event in self._store.events_in(place) if self._upcoming(event)}
        best = sorted(artists - {""}, key=lambda artist: (-fame.get(artist, 0.0), artist))
        # One above the share of listeners, so that the order of the answer is the order of its scores.
        return [Scored(artist, 1 + fame.get(artist, 0.0), "popular_here", place) for artist in best]

    def _upcoming(self, event: Event) -> bool:
        return event.event_date > self._as_of and event.status.casefold() not in NOT_HELD

    def _shown(self, scored: Scored, known: Known, place: str | None) -> Recommendation:
        event = self._next_event(scored.artist_id, known, place)
        because = scored.because
        if because and scored.signal in ("similar_artists", "similar_listeners"):
            because = self._store.artist_name(because)
        signal = scored.signal if because or scored.signal == "popularity" else "popularity"
        return Recommendation(
            kind="event" if event else "artist",
            artist_id=scored.artist_id,
            artist=self._store.artist_name(scored.artist_id),
            score=scored.score,
            signal=scored.signal,
            because=because,
            reason=WORDS[signal].format(because=because),
            event=event,
        )

    def _next_event(self, artist_id: str, known: Known, place: str | None) -> Event | None:
        """The soonest concert, of those at the place if there are any."""
        events = [
            event
            for event in self._store.events_of(artist_id)
            if self._upcoming(event) and event.concert_id not in known.concerts
        ]
        wanted = (place or "").casefold()
        near = [event for event in events if wanted in (event.city.casefold(), event.country.casefold())]
        return min(near if wanted and near else events, key=lambda event: event.event_date, default=None)

    def validate_model(self) -> ValidationReport:
        """Whether the published scores may be shown: fresh, complete, sound, and better than popularity."""
        publication = self._store.publication()
        age = (self._as_of - publication.as_of).days
        reached = float(publication.metrics.get("ndcg_at_10", math.nan))
        popular = float(publication.baseline.get("ndcg_at_10", math.nan))
        full, broken = self._complete(), self._broken_lists()
        share = full / publication.users if publication.users else 0.0
        checks = (
            Check(
                "feature_schema",
                publication.feature_schema == FEATURE_SCHEMA,
                str(publication.feature_schema),
                str(FEATURE_SCHEMA),
            ),
            Check("fresh", 0 <= age <= OLDEST_DAYS, f"{age} days", f"0 to {OLDEST_DAYS} days"),
            Check(
                "complete", share >= LEAST_COMPLETE, f"{share:.3f} of users", f"{LEAST_COMPLETE} with {FULL_LIST} each"
            ),
            Check("sound", broken == 0, f"{broken} lists", "0 with a known or repeated artist, or out of order"),
            Check(
                "popular_fallback", bool(self._store.popular()), f"{len(self._store.popular())} artists", "1 or more"
            ),
            Check("better_than_popularity", reached > popular, f"{reached:.4f}", f"above {popular:.4f}"),
        )
        return ValidationReport(publication.model_version, checks)

    def _complete(self) -> int:
        """Users whose hybrid list is full."""
        store = self._store
        return sum(len(store.recommendations(user, "hybrid")) >= FULL_LIST for user in store.user_ids("hybrid"))

    def _broken_lists(self) -> int:
        broken = 0
        for algorithm in ALGORITHMS:
            for user in self._store.user_ids(algorithm):
                listed = self._store.recommendations(user, algorithm)
                artists = [scored.artist_id for scored in listed]
                values = [scored.score for scored in listed]
                broken += (
                    len(set(artists)) < len(artists)
                    or bool(self._store.known(user).artists.intersection(artists))
                    or not all(map(math.isfinite, values))
                    or values != sorted(values, reverse=True)
                )
        return broken
