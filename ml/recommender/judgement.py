"""Figures of a recommender on held-out pairs, by segment, and the champion's procedure on the same pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ml import evaluation
from ml.promotion import Judgement, Segment
from ml.recommender import artifact, evaluate, hybrid, metrics, tuning
from ml.recommender.data import Dataset

LARGEST_JUDGED = 4_000  # users; the standard error of their NDCG is below .004
LITTLE_HISTORY = 20  # train pairs; users with fewer have little
FEW_LISTENERS = 10  # artists with fewer in train have few
DEEPER = 100  # places looked through for items that the champion knows
SHARES = tuple(tuning.GRID)


@dataclass(frozen=True)
class Champion:
    """The model in service: its settings, and the users and items that it can say something about."""

    version: str
    options: hybrid.Options
    users: frozenset[str]
    items: frozenset[str]


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged or made from other features
    """
    version = str(evaluation.stored_report(folder)["version"])
    try:
        stored = artifact.load(folder)
    except artifact.ArtifactError as error:
        raise evaluation.UnusableChampionError(f"champion {version} is unusable ({error})") from error
    return Champion(version, stored.options, frozenset(stored.users.tolist()), frozenset(stored.items.tolist()))


def refitted(champion: Champion, tuned: hybrid.Hybrid, known: Dataset) -> hybrid.Hybrid:
    """The champion's procedure on the same train part; fitted signals are taken over where the settings are the same.

    :param tuned: the challenger, fitted on ``known``
    """
    own = asdict(champion.options)
    shares = {name: own[name] for name in SHARES}
    if {**own, **{name: getattr(tuned.options, name) for name in SHARES}} == asdict(tuned.options):
        return replace(tuned, options=replace(tuned.options, **shares))
    return hybrid.fit(known, champion.options, with_plain=False)


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
