"""Judge the recommender on random splits per user, 8:1:1, ranking the full catalogue.

Fitted on train, blended on validation, judged on test; train and validation pairs are not ranked. Tag rows are cut to
train pairs before anything is fitted. Baselines stand beside each figure, and a table shows users with little history.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ml import command_line
from ml.recommender import features, hybrid, metrics, tuning
from ml.recommender.content import Factors
from ml.recommender.data import Dataset, InputError, read_dataset
from ml.recommender.signals import Ease, ItemKnn, Popularity, Signal

HISTORY_SIZES = (1, 3, 5, 10)
COLD_USERS_SHARE = 0.2
ARTIST_GROUPS = (("none", 0, 0), ("1-2", 1, 2), ("3-9", 3, 9), ("10-49", 10, 49), ("50 or more", 50, 10**9))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=Path, required=True, help="TSV with the header: user item weight")
    parser.add_argument("--tags", type=Path, help="TSV with the header: user item tag")
    parser.add_argument("--friends", type=Path, help="TSV with the header: user friend")
    parser.add_argument("--seeds", type=command_line.seeds, default="1,2,3", help="one split each, between commas")
    parser.add_argument("--compare-factors", action="store_true", help="also fit ALS and BPR of the implicit library")
    parser.add_argument("--output", type=command_line.output_file, help="write the report as JSON")
    return parser.parse_args(arguments)


def evaluate(data: Dataset, seeds: list[int], *, factors: bool = False) -> dict[str, Any]:
    """The report: mean over splits, each split, and the cold-start tables of the first one."""
    splits = [judge_split(data, seed, factors=factors) for seed in seeds]
    names = splits[0]["models"]
    average = {
        name: {figure: float(np.mean([split["models"][name][figure] for split in splits])) for figure in names[name]}
        for name in names
    }
    return {
        "users": len(data.users),
        "items": len(data.items),
        "interactions": int(data.weights.nnz),
        "seeds": seeds,
        "mean": average,
        "splits": splits,
        "cold_start_users": cold_users(data, seeds[0]),
    }


def judge_split(data: Dataset, seed: int, *, factors: bool = False) -> dict[str, Any]:
    train, validation, test = metrics.split_per_user(data.weights, seed)
    known = data.with_weights(train)
    if not test.nnz:
        raise InputError("no user has three interactions, so nothing can be held out: give more history")
    fitted = hybrid.fit(known)
    tuned = tuning.tune(fitted, validation)
    # Validation pairs are known to be no test pairs: nobody is judged by ranking them.
    judged = replace(tuned, seen=(train + validation).tocsr())
    users = np.flatnonzero(np.diff(test.indptr))
    listeners = np.bincount(train.indices, minlength=train.shape[1])
    models: dict[str, dict[str, float]] = {}
    popular: dict[int, np.ndarray] = {}
    for name, signal in baselines(known, factors=factors, seed=seed).items():
        single = tuning.lists(replace(judged, signals={"items": signal}), users)
        models[name] = metrics.summary(single, test, listeners)
        popular = popular or single  # the first one
    found: dict[int, np.ndarray] = {}
    for name, (variant, algorithm) in variants(judged).items():
        found = tuning.lists(variant, users, algorithm)
        models[name] = metrics.summary(found, test, listeners)
    return {
        "seed": seed,
        "pairs": {"train": int(train.nnz), "validation": int(validation.nnz), "test": int(test.nnz)},
        "tag_rows": {"all": len(data.tags.tag), "of_train_pairs": len(known.tags.tag)},
        "blend": {name: getattr(tuned.options, name) for name in tuning.GRID},
        "models": models,
        "ndcg_by_activity": by_activity(found, test, train),
        "popularity_by_activity": by_activity(popular, test, train),
        "recall_by_artist_listeners": by_artist(found, test, listeners),
    }


def baselines(data: Dataset, *, factors: bool, seed: int) -> dict[str, Signal]:
    """Published methods on the same train part, without side data."""
    built = features.without_side_data(features.build(data))
    binary = replace(built, strength=built.seen)
    found: dict[str, Signal] = {
        "popularity": Popularity.fit(built),
        "item_knn": ItemKnn.fit(built),
        "ease": Ease.fit(binary, ridge=100.0, item_scale=0.0),
    }
    if factors:
        found |= {method: Factors.fit(built, method, seed=seed) for method in ("als", "bpr")}
    return found


def variants(model: hybrid.Hybrid) -> dict[str, tuple[hybrid.Hybrid, str]]:
    """The hybrid without and with each kind of side data; the last one is the model that is kept."""
    kept = model.signals
    without_tags = {name: signal for name, signal in kept.items() if name != "tags"}
    if "plain_items" in kept:
        without_tags["items"] = kept["plain_items"]
    without_friends = {name: signal for name, signal in kept.items() if name != "friends"}
    if "plain_listeners" in kept:
        without_friends["listeners"] = kept["plain_listeners"]
    found = {
        "content": (model, "content"),
        "collaborative": (model, "collaborative"),
        "hybrid_friends_only": (replace(model, signals=without_tags), "hybrid"),
        "hybrid_tags_only": (replace(model, signals=without_friends), "hybrid"),
        "hybrid": (model, "hybrid"),
    }
    if "tags" not in kept:
        for name in ("content", "hybrid_tags_only"):
            del found[name]
    if "friends" not in kept:
        del found["hybrid_friends_only"]
    return found


def by_activity(
    lists: dict[int, np.ndarray], test: sparse.csr_matrix, train: sparse.csr_matrix
) -> dict[str, dict[str, float]]:
    """NDCG@10 by the number of a user's train pairs."""
    scores, counts = metrics.ndcg(lists, test), np.diff(train.indptr)
    table = {}
    for low, high in ((1, 4), (5, 9), (10, 19), (20, 39), (40, 10**9)):
        group = {user: value for user, value in scores.items() if low <= counts[user] <= high}
        label = f"{low} or more" if high >= 10**9 else f"{low}-{high}"
        if group:
            table[label] = {"users": len(group), "ndcg_at_10": metrics.mean(group)}
    return table


def by_artist(
    lists: dict[int, np.ndarray], test: sparse.csr_matrix, listeners: np.ndarray
) -> dict[str, dict[str, float]]:
    """Share of the test pairs found, by the listeners that the artist has in train; without any there is no way."""
    table = {}
    pairs = [
        (listeners[item], item in set(items.tolist()))
        for user, items in lists.items()
        for item in test.indices[test.indptr[user] : test.indptr[user + 1]]
    ]
    for label, low, high in ARTIST_GROUPS:
        group = [found for count, found in pairs if low <= count <= high]
        if group:
            table[label] = {"pairs": len(group), "recall_at_10": float(np.mean(group))}
    return table


def cold_users(data: Dataset, seed: int) -> dict[str, dict[str, float]]:
    """NDCG@10 of a fifth of the users when all but a few of their train pairs are forgotten, before fitting."""
    train, validation, test = metrics.split_per_user(data.weights, seed)
    random = np.random.default_rng(seed)
    able = np.flatnonzero((np.diff(test.indptr) > 0) & (np.diff(train.indptr) >= max(HISTORY_SIZES)))
    cold = np.sort(random.permutation(able)[: max(int(len(able) * COLD_USERS_SHARE), 1)])
    if not len(able):
        return {}
    table = {}
    for size in HISTORY_SIZES:
        model = hybrid.fit(data.with_weights(_shorten(train, cold, size, random)), with_plain=False)
        judged = replace(model, seen=(train + validation).tocsr())
        popular = replace(judged, signals={"items": judged.signals["popularity"]})
        table[str(size)] = {
            "users": len(cold),
            "hybrid": metrics.mean(metrics.ndcg(tuning.lists(judged, cold), test)),
            "popularity": metrics.mean(metrics.ndcg(tuning.lists(popular, cold), test)),
        }
    return table


def _shorten(train: sparse.csr_matrix, users: np.ndarray, size: int, random: np.random.Generator) -> sparse.csr_matrix:
    kept = np.ones(train.nnz, dtype=bool)
    for user in users:
        start, end = train.indptr[user], train.indptr[user + 1]
        kept[start + random.permutation(end - start)[size:]] = False
    return metrics.part(train, kept)


def table_lines(report: dict[str, Any]) -> list[str]:
    """The report as text."""
    lines = [f"{'model':<22}{'NDCG@10':>9}{'Recall@10':>11}{'coverage':>10}{'novelty':>9}"]
    for name, row in report["mean"].items():
        lines.append(
            f"{name:<22}{row['ndcg_at_10']:>9.4f}{row['recall_at_10']:>11.4f}"
            f"{row['catalogue_coverage']:>10.3f}{row['novelty_bits']:>9.2f}"
        )
    for size, row in report["cold_start_users"].items():
        lines.append(
            f"users with {size:>2} interactions: hybrid {row['hybrid']:.4f}, popularity {row['popularity']:.4f}"
        )
    for label, row in report["splits"][0]["recall_by_artist_listeners"].items():
        lines.append(
            f"artists with {label} listeners in train: {row['pairs']} pairs, Recall@10 {row['recall_at_10']:.4f}"
        )
    return lines


def run(arguments: list[str] | None = None, write: Callable[[str], None] = print) -> None:
    options = parse_arguments(arguments)
    data = read_dataset(options.interactions, options.tags, options.friends)
    written = command_line.made_parent(options.output) if options.output else None
    report = evaluate(data, options.seeds, factors=options.compare_factors)
    if written:
        written.write_text(json.dumps(report, indent=2))
    for line in table_lines(report):
        write(line)


def main() -> None:
    try:
        run()
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
