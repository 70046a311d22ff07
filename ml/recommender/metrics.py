"""How good ranked lists are, over the full catalogue: no sampled negatives."""

from __future__ import annotations

import numpy as np
from scipy import sparse

DEPTH = 10


def split_per_user(
    weights: sparse.csr_matrix, seed: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix, sparse.csr_matrix]:
    """Train, validation and test parts, 8:1:1 of each user's pairs at random.

    A user with fewer than three pairs stays in train as a whole: there would be nothing to learn from.
    """
    random = np.random.default_rng(seed)
    parts = np.zeros(weights.nnz, dtype=np.int8)
    for start, end in zip(weights.indptr[:-1], weights.indptr[1:], strict=True):
        count = end - start
        held = max(round(count * 0.1), 1) if count >= 3 else 0
        order = start + random.permutation(count)
        parts[order[:held]], parts[order[held : 2 * held]] = 2, 1
    return tuple(part(weights, parts == wanted) for wanted in range(3))


def part(weights: sparse.csr_matrix, kept: np.ndarray) -> sparse.csr_matrix:
    counts = np.concatenate([[0], np.cumsum(kept)])
    return sparse.csr_matrix((weights.data[kept], weights.indices[kept], counts[weights.indptr]), weights.shape)


def ndcg(lists: dict[int, np.ndarray], held_out: sparse.csr_matrix, depth: int = DEPTH) -> dict[int, float]:
    """NDCG of each user who has a held-out item; every held-out item counts 1."""
    discount = 1 / np.log2(np.arange(2, depth + 2))
    ideal = np.cumsum(discount)
    result = {}
    for user, items in lists.items():
        wanted = held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]]
        if len(wanted):
            hits = np.isin(items[:depth], wanted)
            result[user] = float(discount[: len(hits)][hits].sum() / ideal[min(len(wanted), depth) - 1])
    return result


def recall(lists: dict[int, np.ndarray], held_out: sparse.csr_matrix, depth: int = DEPTH) -> dict[int, float]:
    """Share of each user's held-out items that the list holds."""
    result = {}
    for user, items in lists.items():
        wanted = held_out.indices[held_out.indptr[user] : held_out.indptr[user + 1]]
        if len(wanted):
            result[user] = float(np.isin(wanted, items[:depth]).mean())
    return result


def summary(lists: dict[int, np.ndarray], held_out: sparse.csr_matrix, listeners: np.ndarray) -> dict[str, float]:
    """Means over users, with catalogue coverage and novelty.

    :param listeners: users per item in train
    """
    shown = np.concatenate([items[:DEPTH] for items in lists.values()]) if lists else np.empty(0, dtype=np.int64)
    surprise = -np.log2(np.maximum(listeners, 1) / held_out.shape[0])
    return {
        "ndcg_at_10": mean(ndcg(lists, held_out)),
        "recall_at_10": mean(recall(lists, held_out)),
        "catalogue_coverage": len(np.unique(shown)) / held_out.shape[1],
        "novelty_bits": float(surprise[shown].mean()) if len(shown) else float("nan"),
    }


def mean(values: dict[int, float]) -> float:
    """Mean over users; not a number when no user has anything held out."""
    return float(np.mean(list(values.values()))) if values else float("nan")
