"""The blend's weights, chosen on a validation part: one share after the other, each against the ones chosen before."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
from scipy import sparse

from ml.recommender import metrics
from ml.recommender.hybrid import CANDIDATES, Hybrid, Options

# Of which signal each share is, and what is tried.
SIGNALS = {"users_share": "listeners", "tags_share": "tags", "friends_share": "friends"}
GRID = {"users_share": (0.0, 0.15, 0.3, 0.6), "tags_share": (0.0, 0.05, 0.1), "friends_share": (0.0, 0.05, 0.1)}
LARGEST_SAMPLE = 2_000  # users; more change the third decimal only


def lists(model: Hybrid, users: np.ndarray, algorithm: str = "hybrid") -> dict[int, np.ndarray]:
    """Ranked items by user."""
    return {ranked.user: ranked.items for ranked in model.recommend(users, metrics.DEPTH, algorithm)}


def tune(model: Hybrid, validation: sparse.csr_matrix) -> Hybrid:
    """The same fitted signals with the shares that rank the validation part best.

    A larger share is taken only if it gains: equal figures keep the simpler blend.
    """
    users = np.flatnonzero(np.diff(validation.indptr))
    if not len(users):
        return model
    users = np.sort(np.random.default_rng(model.options.seed).permutation(users)[:LARGEST_SAMPLE])
    names = [name for name in ("items", *SIGNALS.values()) if name in model.signals]
    # Scored once: every blend ranks the same candidates.
    proposals = list(model.propose(users, names, CANDIDATES))

    def reached(candidate: Hybrid) -> float:
        weights = candidate.weights("hybrid")
        ranked = (candidate.rank(proposal, weights, metrics.DEPTH) for proposal in proposals)
        return metrics.mean(metrics.ndcg({one.user: one.items for one in ranked}, validation))

    chosen = _shared(model, dict.fromkeys(GRID, 0.0))
    best = reached(chosen)
    for name, shares in GRID.items():
        kept = chosen
        for share in shares[1:] if SIGNALS[name] in model.signals else ():
            candidate = _shared(kept, {name: share})
            figure = reached(candidate)
            if figure > best:
                best, chosen = figure, candidate
    return chosen


def _shared(model: Hybrid, shares: dict[str, float]) -> Hybrid:
    return replace(model, options=Options(**(asdict(model.options) | shares)))
