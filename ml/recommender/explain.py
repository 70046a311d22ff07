"""Why an item is recommended: the signal that carries most of its score, and the artist, tag or friend behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from ml.recommender.content import Friends, TagProfile
from ml.recommender.hybrid import Hybrid, Ranked
from ml.recommender.signals import Ease, UserRidge

# Names of signals as they are published.
PUBLISHED = {
    "items": "similar_artists",
    "plain_items": "similar_artists",
    "listeners": "similar_listeners",
    "plain_listeners": "similar_listeners",
    "tags": "tags",
    "friends": "friends",
}
POPULARITY = "popularity"


class Reason(NamedTuple):
    """
    :param because: an artist of the user's history (also one shared with similar listeners), a tag, or a friend
    """

    signal: str
    because: str | None


def reasons(model: Hybrid, block: Iterable[Ranked]) -> Iterator[tuple[Ranked, list[Reason]]]:
    """The reason of each recommended item, for the users of a block."""
    ranked = list(block)
    wanted = np.unique(np.concatenate([one.items for one in ranked])) if ranked else np.empty(0, dtype=np.int64)
    projections = {
        name: signal.projection(wanted)
        for name, signal in model.signals.items()
        if isinstance(signal, Ease) and ranked and name in ranked[0].parts
    }
    for one in ranked:
        yield one, _of_user(model, one, wanted, projections)


def _of_user(model: Hybrid, ranked: Ranked, wanted: np.ndarray, projections: dict[str, np.ndarray]) -> list[Reason]:
    names = list(ranked.parts)
    if not names or not len(ranked.items):
        return [Reason(POPULARITY, None)] * len(ranked.items)
    leading = np.argmax(np.stack([ranked.parts[name] for name in names]), axis=0)
    columns = np.searchsorted(wanted, ranked.items)
    because: dict[str, list[str | None]] = {}
    for name in {names[which] for which in leading}:
        if name in projections:
            because[name] = _closest_artists(model, name, ranked.user, projections[name][:, columns])
        else:
            because[name] = [_named(model, name, ranked.user, int(item)) for item in ranked.items]
    found = []
    for position, which in enumerate(leading):
        name = names[which]
        says_something = ranked.parts[name][position] > 0
        found.append(Reason(PUBLISHED[name], because[name][position]) if says_something else Reason(POPULARITY, None))
    return found


def _closest_artists(model: Hybrid, name: str, user: int, projected: np.ndarray) -> list[str | None]:
    signal = model.signals[name]
    assert isinstance(signal, Ease)  # noqa: S101 - narrows the type
    history, added = signal.contributions(user, projected)
    if not len(history):
        return [None] * projected.shape[1]
    best = np.argmax(added, axis=0)
    return [str(model.items[history[row]]) if added[row, column] > 0 else None for column, row in enumerate(best)]


def _named(model: Hybrid, name: str, user: int, item: int) -> str | None:
    signal = model.signals[name]
    if isinstance(signal, TagProfile):
        tag = signal.best_tag(user, item)
        return None if tag is None else str(model.tag_names[tag])
    if isinstance(signal, Friends):
        votes = signal.friends[user].multiply(signal.strength[:, item].T).tocsr()
        return str(model.users[votes.indices[np.argmax(votes.data)]]) if votes.nnz else None
    if isinstance(signal, UserRidge):
        other = signal.best_listener(user, item)
        if other is None:
            return None
        # The other listener stays unnamed: what both play is the reason that may be shown.
        shared = signal.strength[user].multiply(signal.strength[other]).tocsr()
        return str(model.items[shared.indices[np.argmax(shared.data)]]) if shared.nnz else None
    return None
