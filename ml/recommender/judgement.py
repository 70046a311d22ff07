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
DEEPER = 100  # places looked through for items that the champion knows
LARGEST_UNKNOWN = 0.1  # of the interactions are of users, or of items, that the champion does not know
NDCG_FALL = 0.1  # of the champion's figure when it was trained
SHARES = tuple(tuning.GRID)


@dataclass(frozen=True)
class Champion:
    """The model in service: its settings, and the users and items that it can say something about.

    :param metrics: its figures when it was trained
    :param reference: its interactions, to see drift of inputs by
    """

    version: str
    options: hybrid.Options
    users: frozenset[str]
    items: frozenset[str]
    metrics: dict[str, float]
    reference: drift.Reference


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged or made from other features
    """
    report = evaluation.stored_report(folder)
    version = str(report["version"])
    try:
        stored, known = artifact.load(folder), dict(report["metrics"])
        kept = drift.load(folder)
    except (artifact.ArtifactError, OSError, ValueError, KeyError, TypeError) as error:
        raise evaluation.UnusableChampionError(f"champion {version} is unusable ({error})") from error
    return Champion(
        version, stored.options, frozenset(stored.users.tolist()), frozenset(stored.items.tolist()), known, kept
    )


def refitted(champion: Champion, tuned: hybrid.Hybrid, known: Dataset) -> hybrid.Hybrid:
    """The champion's procedure on the same train part; fitted signals are taken over where the settings are the same.

    :param tuned: the challenger, fitted on ``known``
    """
    own = asdict(champion.options)
    shares = {name: own[name] for name in SHARES}
    if {**own, **{name: getattr(tuned.options, name) for name in SHARES}} == asdict(tuned.options):
        return replace(tuned, options=replace(tuned.options, **shares))
    return hybrid.fit(known, champion.options, with_plain=False)


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
    strangers = np.array([str(name) not in champion.users for name in data.users])[listed.row].mean()
    missing = np.array([str(name) not in champion.items for name in data.items])[listed.col].mean()
    unknown = [
        {
            "feature": name,
            "statistic": "share_of_interactions",
            "value": float(value),
            "threshold": LARGEST_UNKNOWN,
            "drifted": bool(value > LARGEST_UNKNOWN),
        }
        for name, value in (("unknown_user", strangers), ("unknown_item", missing))
    ]
    least = champion.metrics["ndcg_at_10"] * (1 - NDCG_FALL)
    return {
        "inputs": [*drift.inputs(champion.reference, watched(data)), *unknown],
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

    def judge(self, model: hybrid.Hybrid, known_to: Champion | None = None) -> Judged:
        """
        :param known_to: the champion, which recommends popular items to users that it does not know, and knows no
            other items than its own
        """
        users = np.flatnonzero(np.diff(self.test.indptr))
        users = np.sort(np.random.default_rng(0).permutation(users)[:LARGEST_JUDGED])
        listeners = np.bincount(self.train.indices, minlength=self.train.shape[1])
        model = replace(model, seen=(self.train + self.validation).tocsr())
        lists = tuning.lists(model, users) if known_to is None else _as_served(model, users, known_to)
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


def _as_served(model: hybrid.Hybrid, users: np.ndarray, champion: Champion) -> dict[int, np.ndarray]:
    stranger = np.array([str(name) not in champion.users for name in model.users])
    missing = np.array([str(name) not in champion.items for name in model.items])
    if not stranger[users].any() and not missing.any():
        return tuning.lists(model, users)
    popular = replace(model, signals={"items": model.signals["popularity"]})
    lists = {}
    for shown, asked in ((model, users[~stranger[users]]), (popular, users[stranger[users]])):
        for ranked in shown.recommend(asked, DEEPER):
            lists[ranked.user] = ranked.items[~missing[ranked.items]][: metrics.DEPTH]
    return dict(sorted(lists.items()))
