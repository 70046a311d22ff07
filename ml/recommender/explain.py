"""Why an item is recommended: the signal that carries most of its score, and the artist, tag or friend behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ml.recommender.content import Friends, TagProfile
from ml.recommender.hybrid import Hybrid, Ranked
from ml.recommender.signals import Ease, Signal, UserRidge

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
    # By column, once for a block: a column of a matrix kept by rows takes a walk through all of it.
    columns = {name: _by_column(model.signals[name]) for name in (ranked[0].parts if ranked else ())}
    for one in ranked:
        yield one, _of_user(model, one, wanted, projections, columns)


def _by_column(signal: Signal) -> sparse.csc_matrix | None:
    if isinstance(signal, TagProfile):
        return signal.portraits.tocsc()
    return signal.strength.tocsc() if isinstance(signal, UserRidge | Friends) else None


def _of_user(
    model: Hybrid,
    ranked: Ranked,
    wanted: np.ndarray,
    projections: dict[str, np.ndarray],
    by_column: dict[str, sparse.csc_matrix | None],
) -> list[Reason]:
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
            because[name] = [_named(model, name, ranked.user, int(item), by_column[name]) for item in ranked.items]
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


def _named(model: Hybrid, name: str, user: int, item: int, by_column: sparse.csc_matrix | None) -> str | None:
    signal = model.signals[name]
    if by_column is None:
        return None
    start, end = by_column.indptr[item], by_column.indptr[item + 1]
    rows, values = by_column.indices[start:end], by_column.data[start:end]
    if isinstance(signal, TagProfile):
        tag = _largest(rows, signal.profiles[user].toarray()[0, rows] * values)
        return None if tag is None else str(model.tag_names[tag])
    if isinstance(signal, Friends):
        friend = _largest(rows, signal.friends[user].toarray()[0, rows] * values)
        return None if friend is None else str(model.users[friend])
    if isinstance(signal, UserRidge):
        other = _largest(rows, signal.weights[user, rows] * values)
        if other is None:
            return None
        # The other listener stays unnamed: what both play is the reason that may be shown.
        shared = signal.strength[user].multiply(signal.strength[other]).tocsr()
        return str(model.items[shared.indices[np.argmax(shared.data)]]) if shared.nnz else None
    return None


def _largest(rows: np.ndarray, votes: np.ndarray) -> int | None:
    return int(rows[np.argmax(votes)]) if len(votes) and votes.max() > 0 else None
