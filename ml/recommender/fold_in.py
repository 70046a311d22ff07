"""A stored model on other interactions than it was fitted on: those of the night that it scores.

What the model has learnt of items stays. Whom it scores, what they know and what their scores are computed from is
tonight's: an artist heard since is not recommended, and a new listener gets what the item model makes of their history.
Of a new listener the model among listeners knows nothing: it adds 0 to their scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from ml.recommender import features
from ml.recommender.content import POPULARITY_POWER, Factors, Friends, TagProfile, norms
from ml.recommender.data import Dataset
from ml.recommender.hybrid import Hybrid
from ml.recommender.signals import Ease, Signal, UserRidge


@dataclass(frozen=True)
class FoldedEase(Ease):
    """The item-to-item ridge with the history of users that it was not fitted on.

    With P as in Ease, the scores of a row x are x - x P / diag(P), and x P = (x - x A' (A A' + ridge)^-1 A) / ridge.

    :param history: users x items, scaled as ``rows`` are
    """

    history: sparse.csr_matrix

    def scores(self, users: np.ndarray) -> np.ndarray:
        own = self.history[users]
        if len(self.items):
            scores = np.zeros((len(users), self.rows.shape[1]), dtype=np.float32)
            scores[:, self.items] = own[:, self.items] @ self.inverse
            return scores
        explained = (self.rows.T @ (self.inverse @ (self.rows @ own.T).toarray())).T
        dense = own.toarray()
        return (dense - (dense - explained) / self.ridge / self.diagonal).astype(np.float32)

    def _own(self, user: int) -> sparse.csr_matrix:
        return self.history[user]


def on(model: Hybrid, data: Dataset) -> Hybrid:
    """The model with the users of a dataset and what they know of its items; the model's own side data stays."""
    user = pd.Index(model.users).get_indexer(pd.Index(data.users))
    seen, strength = (
        _columns(matrix, data, model)
        for matrix in (features.build(data.without_side_data()).seen, features.relative_log(data.weights))
    )
    signals = {name: _folded(signal, model, user, strength) for name, signal in model.signals.items()}
    return replace(model, users=data.users, seen=seen, signals=signals)


def _columns(matrix: sparse.csr_matrix, data: Dataset, model: Hybrid) -> sparse.csr_matrix:
    """Columns of the model's items; items that it does not know fall away, of those without an interaction all is 0."""
    place = pd.Index(data.items).get_indexer(pd.Index(model.items))
    known = np.flatnonzero(place >= 0)
    ones = np.ones(len(known), dtype=np.float32)
    moved = sparse.csr_matrix((ones, (place[known], known)), shape=(len(data.items), len(model.items)))
    found = (matrix @ moved).tocsr()
    found.sort_indices()
    return found


def _folded(signal: Signal, model: Hybrid, user: np.ndarray, strength: sparse.csr_matrix) -> Signal:
    """
    :param user: position in the model of each of tonight's users, -1 for a new one
    :param strength: tonight's users x the model's items
    """
    if isinstance(signal, Ease):
        scale = model.popularity.astype(np.float64) ** -model.options.item_scale
        history = (strength @ sparse.diags(scale)).tocsr().astype(np.float32)
        return FoldedEase(signal.rows, signal.inverse, signal.diagonal, signal.items, signal.ridge, history)
    known = np.flatnonzero(user >= 0)
    if isinstance(signal, UserRidge):
        weights = np.zeros((len(user), len(user)), dtype=np.float32)
        weights[np.ix_(known, known)] = signal.weights[np.ix_(user[known], user[known])]
        return UserRidge(weights, strength)
    if isinstance(signal, Friends):
        ones = np.ones(len(known), dtype=np.float32)
        moved = sparse.csr_matrix((ones, (known, user[known])), shape=(len(user), len(model.users)))
        return Friends((moved @ signal.friends @ moved.T).tocsr(), strength)
    if isinstance(signal, TagProfile):
        return TagProfile(_profiles(signal, model, user, strength), signal.portraits)
    if isinstance(signal, Factors):
        factors = np.zeros((len(user), signal.users.shape[1]), dtype=signal.users.dtype)
        factors[known] = signal.users[user[known]]
        return Factors(factors, signal.items)
    return signal  # popularity: the same for every user


def _profiles(signal: TagProfile, model: Hybrid, user: np.ndarray, strength: sparse.csr_matrix) -> sparse.csr_matrix:
    """Tags of each user: those that the model has, which hold the user's own assignments; of a new one their items'."""
    plain = signal.portraits @ sparse.diags(model.popularity.astype(np.float64) ** -POPULARITY_POWER)
    of_items = (strength @ plain.T).tocsr()
    scaled = sparse.diags((user < 0) / np.maximum(norms(of_items), 1e-12)) @ of_items
    known = np.flatnonzero(user >= 0)
    ones = np.ones(len(known), dtype=np.float32)
    moved = sparse.csr_matrix((ones, (known, user[known])), shape=(len(user), len(model.users)))
    return (scaled + moved @ signal.profiles).tocsr().astype(np.float32)
