"""Train the recommender: entry point of a SageMaker training job in script mode.

Channels: ``interactions`` (user, item, weight), optional ``tags`` (user, item, tag), ``friends`` (user, friend) and
``champion`` (model.tar.gz of the model in service). A split per user judges the method; the model that is kept is
fitted on everything with the blend found there. The champion saw what is held out here, so it is its settings that
are fitted on the same train part and judged on the same test part.
Writes the model, metrics.json and model_card.md to SM_MODEL_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ml.recommender import artifact, evaluate, hybrid, metrics, tuning
from ml.recommender.card import card
from ml.recommender.data import Dataset, InputError, read_dataset
from ml.recommender.features import FEATURE_SCHEMA

MODEL_NAME = "recommender"
LARGEST_JUDGED = 4_000  # users; the standard error of their NDCG is below .004
HYPERPARAMETERS = ("ridge", "item_scale", "tag_weight", "user_ridge", "friend_weight", "factors", "iterations", "seed")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for channel in ("interactions", "tags", "friends", "champion"):
        parser.add_argument(f"--{channel}", type=Path, default=os.environ.get(f"SM_CHANNEL_{channel.upper()}"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--version", required=True, help="name of this model version, kept in metrics.json")
    parser.add_argument("--data-through", default="", help="last day of the interactions, for the model card")
    parser.add_argument("--largest-square", type=int, default=hybrid.LARGEST_SQUARE, help="rows of the largest matrix")
    defaults = hybrid.Options()
    for name in HYPERPARAMETERS:
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def train(
    data: Dataset, options: hybrid.Options, champion: hybrid.Options | None = None
) -> tuple[hybrid.Hybrid, dict[str, Any]]:
    """The model to keep, and the judgement of its method.

    :raises InputError: when nobody has enough history to hold any of it out
    """
    train_part, validation, test = metrics.split_per_user(data.weights, options.seed)
    if not test.nnz:
        raise InputError("no user has three interactions, so no model can be judged: load more before training")
    known = data.with_weights(train_part)
    tuned = tuning.tune(hybrid.fit(known, options, with_plain=False), validation)
    judge = _judge(train_part, validation, test)
    popular = replace(tuned, signals={"items": tuned.signals["popularity"]})
    judgement = {
        "model": judge(tuned),
        "baseline": judge(popular),
        "options": asdict(tuned.options),
        "pairs": {"train": int(train_part.nnz), "validation": int(validation.nnz), "test": int(test.nnz)},
    }
    if champion is not None:
        judgement["champion"] = judge(hybrid.fit(known, champion, with_plain=False))
    return hybrid.fit(data.with_weights(data.weights), tuned.options), judgement


def _judge(train_part: sparse.csr_matrix, validation: sparse.csr_matrix, test: sparse.csr_matrix) -> Any:
    users = np.flatnonzero(np.diff(test.indptr))
    users = np.sort(np.random.default_rng(0).permutation(users)[:LARGEST_JUDGED])
    listeners = np.bincount(train_part.indices, minlength=train_part.shape[1])
    known = (train_part + validation).tocsr()

    def judge(model: hybrid.Hybrid) -> dict[str, Any]:
        lists = tuning.lists(replace(model, seen=known), users)
        return {
            "metrics": metrics.summary(lists, test, listeners),
            "segments": {
                "users_by_history": evaluate.by_activity(lists, test, train_part),
                "artists_by_listeners": evaluate.by_artist(lists, test, listeners),
            },
        }

    return judge


def report_of(data: Dataset, judgement: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Content of metrics.json: every figure beside that of the baseline."""
    return {
        "name": MODEL_NAME,
        "version": options.version,
        "feature_schema": FEATURE_SCHEMA,
        "seed": options.seed,
        "data_through": options.data_through,
        "rows": {
            "users": len(data.users),
            "items": len(data.items),
            "interactions": int(data.weights.nnz),
            "tag_rows": len(data.tags.tag),
            "friend_rows": int(data.friends.nnz) if data.friends is not None else 0,
            **judgement["pairs"],
        },
        "options": judgement["options"],
        "metrics": judgement["model"]["metrics"],
        "segments": judgement["model"]["segments"],
        "baseline": {"name": "popularity", **judgement["baseline"]["metrics"]},
        "champion": judgement.get("champion"),
    }


def champion_options(folder: Path | None) -> hybrid.Options | None:
    """Settings of the model in service; none when the channel is absent or empty, as on the first night."""
    if folder is None or not folder.exists():
        return None
    archive = folder / "model.tar.gz"
    if not (archive.exists() or (folder / artifact.DESCRIPTION).exists()):
        return None
    stored = artifact.read_options(archive if archive.exists() else folder)
    known = {field.name for field in fields(hybrid.Options)}
    return hybrid.Options(**{name: value for name, value in stored.items() if name in known})


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    if asked.interactions is None:
        raise InputError("no interactions: give --interactions or the channel SM_CHANNEL_INTERACTIONS")
    started = time.monotonic()
    data = read_dataset(asked.interactions, asked.tags, asked.friends)
    options = hybrid.Options(
        largest_square=asked.largest_square, **{name: getattr(asked, name) for name in HYPERPARAMETERS}
    )
    kept, judgement = train(data, options, champion_options(asked.champion))
    report = report_of(data, judgement, asked)
    artifact.save(kept, asked.model_dir)
    (asked.model_dir / "metrics.json").write_text(json.dumps(report, indent=2))
    (asked.model_dir / "model_card.md").write_text(card(report))
    # SageMaker reads the figures from these lines (MetricDefinitions of the job).
    for owner in ("metrics", "baseline"):
        for name, value in report[owner].items():
            if isinstance(value, float):
                print(f"{owner}:{name}={value}")
    print(f"trained on {data.weights.nnz} interactions in {time.monotonic() - started:.0f} s")


def main() -> None:
    try:
        run()
    except (InputError, artifact.ArtifactError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
