"""Figures of a recommender on held-out pairs, by segment, and the champion's procedure on the same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from ml import drift, evaluation
from ml.promotion import Judgement, Segment
from ml.recommender import artifact, evaluate, hybrid, metrics, tuning
from ml.recommender.data import Dataset

LARGEST_JUDGED = 4_000  # users; the standard error of their NDCG is below .004
LITTLE_HISTORY = 20  # train pairs; users with fewer have little
FEW_LISTENERS = 10  # artists with fewer in train have few
LARGEST_UNKNOWN = 0.1  # of the interactions are of users, or of items, that the champion does not know
NDCG_FALL = 0.1  # of the champion's figure when it was trained
SHARES = tuple(tuning.GRID)


@dataclass(frozen=True)
class Champion:
    """The model in service: its settings, and the pairs of ``users`` and ``items`` that it has seen.

    :param metrics: its figures when it was trained
    :param reference: its interactions, to see drift of inputs by; None when it is lost
    """

    version: str
    options: hybrid.Options
    users: np.ndarray
    items: np.ndarray
    seen: sparse.csr_matrix
    metrics: dict[str, float]
    reference: drift.Reference | None


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged or made from other features
    """
    report = evaluation.stored_report(folder)
    version = str(report["version"])
    try:
        stored, known = artifact.load(folder), dict(report["metrics"])
    except (artifact.ArtifactError, ValueError, KeyError, TypeError) as error:
        raise evaluation.UnusableChampionError(f"champion {version} is unusable ({error})") from error
    return Champion(version, stored.options, stored.users, stored.items, stored.seen, known, drift.load(folder))


def _seen_by(champion: Champion, data: Dataset) -> sparse.csr_matrix:
    """Users x items of tonight's data, 1 where the champion knows the pair."""
    user = pd.Index(data.users).get_indexer(pd.Index(champion.users))
    item = pd.Index(data.items).get_indexer(pd.Index(champion.items))
    pairs = champion.seen.tocoo()
    row, column = user[pairs.row], item[pairs.col]
    there = (row >= 0) & (column >= 0)
    ones = np.ones(int(there.sum()), dtype=np.float32)
    return sparse.csr_matrix((ones, (row[there], column[there])), shape=data.weights.shape)


def refitted(champion: Champion, tuned: hybrid.Hybrid, known: Dataset) -> hybrid.Hybrid:
    """The champion's procedure on what it knows of the train part; fitted signals are taken over where nothing differs.

    :param tuned: the challenger, fitted on ``known``
    """
    own = known.weights.multiply(_seen_by(champion, known)).tocsr()
    settings = asdict(champion.options)
    shares = {name: settings[name] for name in SHARES}
    alike = asdict(replace(tuned.options, **shares)) == settings
    if alike and own.nnz == known.weights.nnz:
        return replace(tuned, options=champion.options)
    return hybrid.fit(known.with_weights(own), champion.options, with_plain=False)


def watched(data: Dataset) -> pd.DataFrame:
    """What drift is looked for in, for each interaction: its strength, how active its user and how known its item."""
    weights = data.weights
    active = np.diff(weights.indptr)
    return pd.DataFrame(
        {
            "log_weight": np.log1p(weights.data),
            "log_user_interactions": np.log(np.repeat(active, active)),
            "log_item_listeners": np.log(np.bincount(weights.indices, minlength=weights.shape[1])[weights.indices]),
        }
    )


def drift_of(data: Dataset, judged: Judgement, champion: Champion | None) -> dict[str, Any]:
    """Tonight's interactions against what the champion keeps of its own, since none has a time.

    The first night has nothing to compare with.

    :param judged: figures of the champion's procedure tonight
    """
    if champion is None:
        return dict(evaluation.NO_DRIFT)
    listed = data.weights.tocoo()
    strangers = ~pd.Index(data.users).isin(champion.users)[listed.row]
    missing = ~pd.Index(data.items).isin(champion.items)[listed.col]
    unknown = [
        {
            "feature": name,
            "statistic": "share_of_interactions",
            "value": float(value),
            "threshold": LARGEST_UNKNOWN,
            "drifted": bool(value > LARGEST_UNKNOWN),
        }
        for name, value in (("unknown_user", strangers.mean()), ("unknown_item", missing.mean()))
    ]
    least = champion.metrics["ndcg_at_10"] * (1 - NDCG_FALL)
    return {
        "inputs": [*drift.inputs(champion.reference or {}, watched(data)), *unknown],
        "errors": [drift.error("ndcg_at_10", judged.metrics["ndcg_at_10"], least, lowest=True)],
    }


@dataclass(frozen=True)
class Judged(Judgement):
    """
    :param tables: figures by user activity and by listeners of the artist, for metrics.json and the card
    """

    tables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Holdout:
    """A split: models are fitted on train and judged on test; train and validation pairs are not ranked."""

    train: sparse.csr_matrix
    validation: sparse.csr_matrix
    test: sparse.csr_matrix

    def judge(self, model: hybrid.Hybrid) -> Judged:
        users = np.flatnonzero(np.diff(self.test.indptr))
        users = np.sort(np.random.default_rng(0).permutation(users)[:LARGEST_JUDGED])
        listeners = np.bincount(self.train.indices, minlength=self.train.shape[1])
        model = replace(model, seen=(self.train + self.validation).tocsr())
        lists = tuning.lists(model, users)
        return Judged(
            metrics.summary(lists, self.test, listeners),
            self._segments(lists, listeners),
            {
                "users_by_history": evaluate.by_activity(lists, self.test, self.train),
                "artists_by_listeners": evaluate.by_artist(lists, self.test, listeners),
            },
        )

    def _segments(self, lists: dict[int, np.ndarray], listeners: np.ndarray) -> dict[str, Segment]:
        counts = np.diff(self.train.indptr)
        little = {user: items for user, items in lists.items() if counts[user] < LITTLE_HISTORY}
        hits = [
            item in shown
            for user, items in lists.items()
            for shown in [set(items.tolist())]
            for item in self.test.indices[self.test.indptr[user] : self.test.indptr[user + 1]]
            if listeners[item] < FEW_LISTENERS
        ]
        ndcg = metrics.mean(metrics.ndcg(little, self.test))
        return {
            "users_with_little_history": Segment("ndcg_at_10", len(little), ndcg),
            "artists_with_few_listeners": Segment("recall_at_10", len(hits), float(np.mean(hits)) if hits else 0.0),
        }
