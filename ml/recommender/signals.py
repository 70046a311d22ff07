"""Signals: models that score every item for known users. Each is a dataclass of arrays, so that saving needs no pickle.

Popularity, ItemKnn     the baselines
Ease                    item-to-item ridge without self-weights (Steck 2019), exact in whichever space is smaller
UserRidge               the same among users, friends as further features
TagProfile              content: tags of the user's items and of the user against tags of items
Friends                 what friends play
Factors                 ALS or BPR of the `implicit` library, for catalogues and user bases too large for the ridges
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import linalg, sparse

from ml.recommender.features import Features

# Largest dense square matrix of a ridge: 10,000 rows in float64 take 0.8 GB, and are inverted in place.
LARGEST_SQUARE = 10_000


class Signal(Protocol):
    def scores(self, users: np.ndarray) -> np.ndarray:
        """Scores of all items (columns) for the users at these positions (rows); higher is better."""


def inverse_in_place(square: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix in the memory of the matrix itself."""
    factor, failed = linalg.lapack.dpotrf(square, lower=0, overwrite_a=1, clean=0)
    if not failed:
        factor, failed = linalg.lapack.dpotri(factor, lower=0, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("the regularised matrix is not positive definite: raise the regularisation")
    for row in range(1, len(factor)):  # dpotri fills the upper triangle only
        factor[row, :row] = factor[:row, row]
    return factor


def gram(rows: sparse.csr_matrix, ridge: float) -> np.ndarray:
    """rows x rows.T + ridge on the diagonal, dense, in the memory order that LAPACK overwrites."""
    square = np.zeros((rows.shape[0], rows.shape[0]), dtype=np.float64, order="F")
    step = 512
    other = rows.T.tocsr()
    for start in range(0, rows.shape[0], step):
        square[start : start + step] = (rows[start : start + step] @ other).toarray()
    square[np.diag_indices_from(square)] += ridge
    return square


@dataclass(frozen=True)
class Popularity:
    popularity: np.ndarray

    @classmethod
    def fit(cls, features: Features) -> Popularity:
        return cls(np.log(features.popularity).astype(np.float32))

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.tile(self.popularity, (len(users), 1))


@dataclass(frozen=True)
class ItemKnn:
    """Cosine between items.

    Keeping only the nearest neighbours costs much on sparse data (NDCG@10 of the sample: 100 kept .170, 250 .176,
    all .185), so all are kept unless memory asks for a number.
    """

    seen: sparse.csr_matrix
    similarity: sparse.csr_matrix

    @classmethod
    def fit(cls, features: Features, neighbours: int | None = None) -> ItemKnn:
        scaled = (features.seen @ sparse.diags(features.popularity**-0.5)).tocsr().astype(np.float32)
        blocks = []
        for start in range(0, scaled.shape[1], 1000):
            block = (scaled.T[start : start + 1000] @ scaled).tolil()
            block.setdiag(0, k=start)
            blocks.append(_largest_per_row(block.tocsr(), neighbours or scaled.shape[1]))
        return cls(features.seen, sparse.vstack(blocks).tocsr())

    def scores(self, users: np.ndarray) -> np.ndarray:
        return (self.seen[users] @ self.similarity.T).toarray()


def _largest_per_row(matrix: sparse.csr_matrix, count: int) -> sparse.csr_matrix:
    for start, end in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        if end - start > count:
            values = matrix.data[start:end]
            values[values < np.partition(values, -count)[-count]] = 0
    matrix.eliminate_zeros()
    return matrix


@dataclass(frozen=True)
class Ease:
    """Item-to-item ridge, tags stacked below the interactions as if each were a listener of its items.

    With rows A (users, then tags) and P = (A'A + ridge)^-1, the weights are -P / diag(P) off the diagonal. P is never
    built when there are fewer rows than items: A P = (A A' + ridge)^-1 A needs a square of rows only.
    Items are scaled by popularity ** -item_scale first, which keeps popular items from explaining everything.

    :param inverse: rows x rows when ``items`` is empty, else items x items weights of the most popular items
    :param items: positions of the items of the second form
    """

    rows: sparse.csr_matrix
    inverse: np.ndarray
    diagonal: np.ndarray
    items: np.ndarray
    ridge: float

    @classmethod
    def fit(
        cls,
        features: Features,
        ridge: float = 100.0,
        item_scale: float = 0.2,
        tag_weight: float = 1.0,
        largest: int = LARGEST_SQUARE,
    ) -> Ease:
        tagged = features.item_tags.shape[0] > 0 and tag_weight > 0
        rows = sparse.vstack([features.strength, tag_weight * features.item_tags]) if tagged else features.strength
        scale = features.popularity.astype(np.float64) ** -item_scale
        rows = (rows.tocsr() @ sparse.diags(scale)).tocsr().astype(np.float32)
        # The scaling shrinks the squares that the ridge is added to: it shrinks with them.
        ridge *= float(features.popularity.mean()) ** (-2 * item_scale)
        if rows.shape[0] <= min(rows.shape[1], largest):
            return cls._fit_rows(rows, ridge)
        return cls._fit_items(rows, ridge, features.popularity, largest)

    @classmethod
    def _fit_rows(cls, rows: sparse.csr_matrix, ridge: float) -> Ease:
        inverse = inverse_in_place(gram(rows.astype(np.float64), ridge))
        columns = rows.tocsc().astype(np.float64)
        diagonal = np.empty(rows.shape[1])
        for start in range(0, rows.shape[1], 2000):
            block = columns[:, start : start + 2000]
            diagonal[start : start + 2000] = np.asarray(block.multiply(inverse @ block).sum(axis=0)).ravel()
        return cls(rows, inverse.astype(np.float32), ((1 - diagonal) / ridge).astype(np.float32), _nothing(), ridge)

    @classmethod
    def _fit_items(cls, rows: sparse.csr_matrix, ridge: float, popularity: np.ndarray, largest: int) -> Ease:
        kept = np.sort(np.argsort(-popularity, kind="stable")[:largest])
        precision = inverse_in_place(gram(rows[:, kept].T.tocsr().astype(np.float64), ridge))
        diagonal = np.diag(precision).copy()
        weights = np.empty(precision.shape, dtype=np.float32)
        for start in range(0, len(precision), 512):  # by blocks: a second matrix in float64 would double the memory
            weights[start : start + 512] = -precision[start : start + 512] / diagonal
        np.fill_diagonal(weights, 0)
        return cls(rows, weights, diagonal.astype(np.float32), kept, ridge)

    def scores(self, users: np.ndarray) -> np.ndarray:
        own = self.rows[users]
        if len(self.items):
            scores = np.zeros((len(users), self.rows.shape[1]), dtype=np.float32)
            scores[:, self.items] = own[:, self.items] @ self.inverse
            return scores
        return own.toarray() - (self.rows.T @ self.inverse[users].T).T / self.diagonal

    def projection(self, items: np.ndarray) -> np.ndarray:
        """What `contributions` needs of these items, computed once for a block of users."""
        if len(self.items):
            place = np.searchsorted(self.items, items)
            found = self.items[np.minimum(place, len(self.items) - 1)] == items
            return np.where(found, self.inverse[:, np.where(found, place, 0)], 0)
        return (self.rows[:, items].T @ self.inverse).T / self.ridge / self.diagonal[items]

    def contributions(self, user: int, projected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Items of the user's history, and what each (rows) adds to the scores of the projected items (columns)."""
        own = self._own(user)
        if len(self.items):
            own = sparse.csr_matrix(own[:, self.items])
            return self.items[own.indices], own.data[:, None] * projected[own.indices]
        return own.indices, own.data[:, None] * (self.rows[:, own.indices].T @ projected)

    def _own(self, user: int) -> sparse.csr_matrix:
        """The user's history, scaled."""
        return self.rows[user]


def _nothing() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class UserRidge:
    """User-to-user ridge: a listener is explained by others, who then vote with their own history."""

    weights: np.ndarray
    strength: sparse.csr_matrix

    @classmethod
    def fit(
        cls, features: Features, ridge: float = 30.0, item_scale: float = 0.2, friend_weight: float = 0.5
    ) -> UserRidge:
        scale = features.popularity.astype(np.float64) ** -item_scale
        described = (features.strength.astype(np.float64) @ sparse.diags(scale)).tocsr()
        if features.friends is not None and friend_weight > 0:
            circle = friend_weight * (features.friends.astype(np.float64) + sparse.eye(described.shape[0]))
            described = sparse.hstack([described, circle]).tocsr()
        precision = inverse_in_place(gram(described, ridge))
        weights = (-precision / np.diag(precision)[:, None]).astype(np.float32)
        np.fill_diagonal(weights, 0)
        return cls(weights, features.strength)

    def scores(self, users: np.ndarray) -> np.ndarray:
        return (self.strength.T @ self.weights[users].T).T
