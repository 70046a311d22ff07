"""What the signals read: relative weights, tag rows, profiles of tags, degrees. Nothing here looks past its Dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from ml.recommender.data import Dataset

LEAST_TAG_USES = 3  # a tag on one or two pairs says nothing about other items, and thousands of them slow the fit


@dataclass(frozen=True)
class Features:
    """Matrices of one Dataset.

    :param seen: users x items, 1 where the user knows the item
    :param strength: users x items, log weight relative to the user's mean: plays of a heavy listener count no more
    :param popularity: users per item, at least 1
    :param item_tags: tags x items, log number of assignments, frequent tags only
    :param user_tags: users x tags, log number of assignments by the user
    """

    seen: sparse.csr_matrix
    strength: sparse.csr_matrix
    popularity: np.ndarray
    item_tags: sparse.csr_matrix
    user_tags: sparse.csr_matrix
    tag_names: np.ndarray
    friends: sparse.csr_matrix | None


def build(data: Dataset) -> Features:
    seen = sparse.csr_matrix(
        (np.ones(data.weights.nnz, dtype=np.float32), data.weights.indices, data.weights.indptr), data.weights.shape
    )
    item_tags, user_tags, names = _tag_matrices(data)
    return Features(
        seen=seen,
        strength=relative_log(data.weights),
        popularity=np.maximum(np.bincount(data.weights.indices, minlength=len(data.items)), 1).astype(np.float32),
        item_tags=item_tags,
        user_tags=user_tags,
        tag_names=names,
        friends=data.friends,
    )


def relative_log(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    """Log weights divided by the mean of their row."""
    logs = np.log1p(weights.data.astype(np.float64))
    counts = np.diff(weights.indptr)
    rows = np.repeat(np.arange(weights.shape[0]), counts)
    means = np.bincount(rows, logs, minlength=weights.shape[0]) / np.maximum(counts, 1)
    scaled = (logs / np.maximum(means[rows], 1e-12)).astype(np.float32)
    return sparse.csr_matrix((scaled, weights.indices, weights.indptr), weights.shape)


def _tag_matrices(data: Dataset) -> tuple[sparse.csr_matrix, sparse.csr_matrix, np.ndarray]:
    tags, count = data.tags, len(data.tags.names)
    ones = np.ones(len(tags.tag), dtype=np.float32)
    item_tags = sparse.csr_matrix((ones, (tags.tag, tags.item)), shape=(count, len(data.items)))
    user_tags = sparse.csr_matrix((ones, (tags.user, tags.tag)), shape=(len(data.users), count))
    frequent = np.flatnonzero(np.diff(item_tags.indptr) >= LEAST_TAG_USES)
    return _log(item_tags[frequent]), _log(user_tags[:, frequent].tocsr()), data.tags.names[frequent]


def _log(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    logs = counts.copy()
    logs.data = np.log1p(logs.data)
    return logs


def without_side_data(built: Features) -> Features:
    """The same interactions without tags and friends."""
    return replace(
        built,
        item_tags=built.item_tags[:0],
        user_tags=built.user_tags[:, :0],
        tag_names=built.tag_names[:0],
        friends=None,
    )
