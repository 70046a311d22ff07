"""Signals that do not come from other listeners' history: tags, friends. And matrix factors, the path to large data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ml.recommender.features import Features

TAG_SHRINKAGE = 3.0  # added to an item's norm: one tag alone is no portrait
POPULARITY_POWER = 0.3


@dataclass(frozen=True)
class TagProfile:
    """Tags of the user's items, and the user's own, against the tags of each item, weighted by rarity.

    :param profiles: users x tags, rows of length 1
    :param portraits: tags x items
    """

    profiles: sparse.csr_matrix
    portraits: sparse.csr_matrix

    @classmethod
    def fit(cls, features: Features) -> TagProfile:
        uses = np.maximum(np.diff(features.item_tags.indptr), 1)
        rarity = np.log1p(features.item_tags.shape[1] / uses)
        weighted = (sparse.diags(rarity) @ features.item_tags).tocsr()
        portraits = (weighted @ sparse.diags(1 / (norms(weighted.T) + TAG_SHRINKAGE))).tocsr()
        profiles = (features.strength @ portraits.T + features.user_tags @ sparse.diags(rarity) * 0.1).tocsr()
        scaled = (sparse.diags(1 / np.maximum(norms(profiles), 1e-12)) @ profiles).tocsr()
        # Tempered popularity: of two items with the same tags the better known one is the better guess by far
        # (NDCG@10 of tags alone on validation: 0.06 without it, 0.14 with it).
        known = sparse.diags(features.popularity.astype(np.float64) ** POPULARITY_POWER)
        return cls(scaled.astype(np.float32), (portraits @ known).tocsr().astype(np.float32))

    def scores(self, users: np.ndarray) -> np.ndarray:
        return (self.profiles[users] @ self.portraits).toarray()


def norms(matrix: sparse.spmatrix) -> np.ndarray:
    return np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())


@dataclass(frozen=True)
class Friends:
    """What the user's friends play."""

    friends: sparse.csr_matrix
    strength: sparse.csr_matrix

    @classmethod
    def fit(cls, features: Features) -> Friends:
        users = features.strength.shape[0]
        friends = features.friends if features.friends is not None else sparse.csr_matrix((users, users))
        return cls(friends.astype(np.float32).tocsr(), features.strength)

    def scores(self, users: np.ndarray) -> np.ndarray:
        return (self.friends[users] @ self.strength).toarray()


@dataclass(frozen=True)
class Factors:
    """Latent factors by ALS or BPR: memory grows with users plus items, not with their square."""

    users: np.ndarray
    items: np.ndarray

    @classmethod
    def fit(
        cls, features: Features, method: str = "als", factors: int = 64, iterations: int = 10, seed: int = 7
    ) -> Factors:
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking

        # One thread: two threads of BPR write the same factors, and the result would differ from run to run.
        if method == "als":
            model = AlternatingLeastSquares(
                factors=factors, regularization=20.0, alpha=10.0, iterations=iterations, random_state=seed
            )
        else:
            model = BayesianPersonalizedRanking(
                factors=factors, learning_rate=0.05, iterations=iterations * 10, random_state=seed, num_threads=1
            )
        model.fit(features.seen.astype(np.float32), show_progress=False)
        return cls(np.asarray(model.user_factors), np.asarray(model.item_factors))

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self.users[users] @ self.items.T
