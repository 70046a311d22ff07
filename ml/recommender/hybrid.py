"""The model that is kept: signals propose candidates, a blend of their standardised scores ranks them.

Three algorithms read the same signals: `collaborative` (other listeners' history), `content` (tags) and `hybrid`
(all, with tags and friends inside the signals too).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ml.recommender import features
from ml.recommender.content import Factors, Friends, TagProfile
from ml.recommender.data import Dataset
from ml.recommender.schema import ALGORITHMS
from ml.recommender.signals import LARGEST_SQUARE, Ease, Popularity, Signal, UserRidge

CANDIDATES = 300  # per signal; the held-out items that a blend ranks among the first ten lie among the first hundred
USERS_AT_ONCE = 250  # a block of scores over 60,000 items takes 60 MB per signal


class UnknownAlgorithmError(ValueError):
    """An algorithm that is not one of ALGORITHMS."""


@dataclass(frozen=True)
class Options:
    """Hyperparameters. The defaults were chosen on validation parts of the sample alone (docs/models.md)."""

    ridge: float = 100.0
    item_scale: float = 0.2
    tag_weight: float = 1.0
    user_ridge: float = 30.0
    friend_weight: float = 0.5
    users_share: float = (
        0.3  # weight of the user-to-user signal (or of the factors) where the item-to-item signal has 1
    )
    tags_share: float = 0.0
    friends_share: float = 0.0
    factors: int = 64
    iterations: int = 10
    largest_square: int = LARGEST_SQUARE
    seed: int = 7


class Proposal(NamedTuple):
    """Candidates of one user, and the standardised score of each signal for them."""

    user: int
    items: np.ndarray
    parts: dict[str, np.ndarray]


@dataclass(frozen=True)
class Ranked:
    """Recommendations of one user, best first.

    :param parts: signal -> its weighted share in each score, which says why an item is there
    """

    user: int
    items: np.ndarray
    scores: np.ndarray
    parts: dict[str, np.ndarray]


@dataclass(frozen=True)
class Hybrid:
    """Fitted signals by name; ``seen`` (users x items) is what is never recommended."""

    users: np.ndarray
    items: np.ndarray
    tag_names: np.ndarray
    seen: sparse.csr_matrix
    popularity: np.ndarray
    signals: dict[str, Signal]
    options: Options = field(default_factory=Options)

    def weights(self, algorithm: str) -> dict[str, float]:
        """Weight of each signal in an algorithm, only those that count.

        :raises UnknownAlgorithmError: for another name
        """
        share = self.options
        blends = {
            "hybrid": {
                "items": 1.0,
                "listeners": share.users_share,
                "tags": share.tags_share,
                "friends": share.friends_share,
            },
            # Without side data the plain signals are those of the hybrid, and are not fitted twice.
            "collaborative": {self._plain("items"): 1.0, self._plain("listeners"): share.users_share},
            "content": {"tags": 1.0},
        }
        if algorithm not in blends:
            raise UnknownAlgorithmError(f"{algorithm} is no algorithm: choose one of {', '.join(ALGORITHMS)}")
        return {name: weight for name, weight in blends[algorithm].items() if weight and name in self.signals}

    def _plain(self, name: str) -> str:
        return f"plain_{name}" if f"plain_{name}" in self.signals else name

    def known_users(self, names: list[str]) -> tuple[np.ndarray, list[str]]:
        """Positions of the users that the model knows, in the given order, and the names of the others."""
        place = {name: position for position, name in enumerate(self.users.tolist())}
        known = [place[name] for name in names if name in place]
        return np.array(known, dtype=np.int64), [name for name in names if name not in place]

    def propose(self, users: np.ndarray, names: list[str], count: int) -> Iterator[Proposal]:
        """Candidates of each user: what any of these signals has among its best ``count`` that the user does not know.

        Without a signal, or where the catalogue is no larger than the count, all that the user does not know.
        """
        for start in range(0, len(users), USERS_AT_ONCE):
            block = users[start : start + USERS_AT_ONCE]
            parts = {name: standardised(self.signals[name].scores(block)) for name in names}
            candidates = best_of_any(list(parts.values()), self.seen[block], count)
            for row, user in enumerate(block):
                chosen = candidates[row]
                yield Proposal(int(user), chosen, {name: part[row, chosen] for name, part in parts.items()})

    def rank(self, proposal: Proposal, weights: dict[str, float], limit: int) -> Ranked:
        """The best candidates by the weighted sum of their signals."""
        parts = {name: weight * proposal.parts[name] for name, weight in weights.items()}
        # Popularity settles ties, and alone ranks what no signal says anything about.
        total = 1e-6 * np.log(self.popularity[proposal.items]) + sum(parts.values())
        best = np.argsort(-total, kind="stable")[:limit]
        kept = {name: part[best] for name, part in parts.items()}
        return Ranked(proposal.user, proposal.items[best], total[best], kept)

    def recommend(self, users: np.ndarray, limit: int, algorithm: str = "hybrid") -> Iterator[Ranked]:
        """The best items that each user does not know; fewer than the limit only where the catalogue ends."""
        weights = self.weights(algorithm)
        for proposal in self.propose(users, list(weights), max(CANDIDATES, limit)):
            yield self.rank(proposal, weights, limit)

    def popular(self, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """The items with most listeners and their share of all listeners: what an unknown user gets."""
        best = np.argsort(-self.popularity, kind="stable")[:limit]
        return best, self.popularity[best] / max(len(self.users), 1)


def standardised(scores: np.ndarray) -> np.ndarray:
    """Scores of each user with mean 0 and deviation 1, so that signals of any scale can be added."""
    centred = scores - scores.mean(axis=1, keepdims=True)
    return (centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-9)).astype(np.float32)


def best_of_any(parts: list[np.ndarray], known: sparse.csr_matrix, count: int) -> list[np.ndarray]:
    """Of each row, the sorted positions that are among the best of any part and not known."""
    everything = not parts or count >= known.shape[1]
    chosen = np.full(known.shape, everything)
    for part in [] if everything else parts:
        masked = part.copy()
        masked[known.nonzero()] = -np.inf
        np.put_along_axis(chosen, np.argpartition(-masked, count - 1, axis=1)[:, :count], True, axis=1)
    chosen[known.nonzero()] = False
    return [np.flatnonzero(row) for row in chosen]


def fit(data: Dataset, options: Options | None = None, *, with_plain: bool = True) -> Hybrid:
    """Fit every signal on a dataset.

    :param with_plain: also fit the signals of `collaborative`, which see neither tags nor friends
    """
    options = options or Options()
    built = features.build(data)
    signals: dict[str, Signal] = {
        "items": _item_signal(built, options),
        "listeners": _listener_signal(built, options),
        "popularity": Popularity.fit(built),
    }
    if len(built.tag_names):
        signals["tags"] = TagProfile.fit(built)
        if with_plain:
            signals["plain_items"] = _item_signal(features.without_side_data(built), options)
    if built.friends is not None and built.friends.nnz:
        signals["friends"] = Friends.fit(built)
        if with_plain and isinstance(signals["listeners"], UserRidge):
            signals["plain_listeners"] = _listener_signal(features.without_side_data(built), options)
    return Hybrid(data.users, data.items, built.tag_names, built.seen, built.popularity, signals, options)


def _item_signal(built: features.Features, options: Options) -> Ease:
    return Ease.fit(built, options.ridge, options.item_scale, options.tag_weight, options.largest_square)


def _listener_signal(built: features.Features, options: Options) -> Signal:
    """The user-to-user ridge, or matrix factors where its square of users would not fit into memory."""
    if built.seen.shape[0] > options.largest_square:
        return Factors.fit(built, "als", options.factors, options.iterations, options.seed)
    return UserRidge.fit(built, options.user_ridge, options.item_scale, options.friend_weight)
