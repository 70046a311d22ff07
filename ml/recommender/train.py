"""Train the recommender: entry point of a SageMaker training job in script mode.

Channels: ``interactions`` (user, item, weight), optional ``tags`` (user, item, tag), ``friends`` (user, friend) and
``champion`` (model.tar.gz of the model in service). A split per user judges the method; the model that is kept is
fitted on everything with the blend found there.

The champion's own numbers have seen what is held out here: interactions carry no time, so that no part of them is new
to it. What is compared is therefore its procedure: its settings, fitted on those pairs of the same train part that it
knows, and judged on the same test part. So new listeners, artists and plays count for the challenger, and chance does
not.
Writes the model, metrics.json and model_card.md to SM_MODEL_DIR, and evaluation.json with the decision to
SM_OUTPUT_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ml import drift, evaluation, promotion
from ml.promotion import Judgement
from ml.recommender import artifact, hybrid, judgement, metrics, tuning
from ml.recommender.card import card
from ml.recommender.data import Dataset, InputError, read_dataset
from ml.recommender.schema import FEATURE_SCHEMA, MODEL_NAME

HYPERPARAMETERS = ("ridge", "item_scale", "tag_weight", "user_ridge", "friend_weight", "factors", "iterations", "seed")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for channel in ("interactions", "tags", "friends", "champion"):
        parser.add_argument(f"--{channel}", type=Path, default=os.environ.get(f"SM_CHANNEL_{channel.upper()}"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--output-data-dir", type=Path, help="SM_OUTPUT_DATA_DIR, else beside the model")
    parser.add_argument("--version", required=True, help="name of this model version, kept in metrics.json")
    parser.add_argument("--data-through", default="", help="last day of the interactions, for the model card")
    parser.add_argument("--largest-square", type=int, default=hybrid.LARGEST_SQUARE, help="rows of the largest matrix")
    defaults = hybrid.Options()
    for name in HYPERPARAMETERS:
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def train(
    data: Dataset, options: hybrid.Options, champion: judgement.Champion | None = None
) -> tuple[hybrid.Hybrid, dict[str, Any]]:
    """The model to keep, and the judgement of its method.

    :raises InputError: when nobody has enough history to hold any of it out
    """
    train_part, validation, test = metrics.split_per_user(data.weights, options.seed)
    if not test.nnz:
        raise InputError("no user has three interactions, so no model can be judged: load more before training")
    known = data.with_weights(train_part)
    tuned = tuning.tune(hybrid.fit(known, options, with_plain=False), validation)
    holdout = judgement.Holdout(train_part, validation, test)
    popular = replace(tuned, signals={"items": tuned.signals["popularity"]})
    figures = {
        "model": holdout.judge(tuned),
        "baseline": holdout.judge(popular),
        "options": asdict(tuned.options),
        "pairs": {"train": int(train_part.nnz), "validation": int(validation.nnz), "test": int(test.nnz)},
    }
    if champion is not None:
        rival = judgement.refitted(champion, tuned, known)
        figures["champion"] = holdout.judge(rival)
    return hybrid.fit(data.with_weights(data.weights), tuned.options), figures


def report_of(data: Dataset, judged: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Content of metrics.json: every figure beside that of the baseline."""
    return {
        "name": MODEL_NAME,
        "version": options.version,
        "feature_schema": FEATURE_SCHEMA,
        "seed": options.seed,
        "data_from": None,  # interactions carry no time
        "data_through": options.data_through or None,
        "rows": {
            "users": len(data.users),
            "items": len(data.items),
            "interactions": int(data.weights.nnz),
            "tag_rows": len(data.tags.tag),
            "friend_rows": int(data.friends.nnz) if data.friends is not None else 0,
            **judged["pairs"],
        },
        "options": judged["options"],
        "metrics": dict(judged["model"].metrics),
        "segments": judged["model"].tables,
        "baseline": {"name": "popularity", **judged["baseline"].metrics},
    }


def evaluated(
    data: Dataset,
    report: dict[str, Any],
    judged: dict[str, Any],
    champion: judgement.Champion | None,
    absent: promotion.Absence,
) -> dict[str, Any]:
    """Content of evaluation.json."""
    challenger: Judgement = judged["model"]
    rival = None if champion is None else (champion.version, judged["champion"])
    decision = promotion.decide(
        promotion.RECOMMENDER, challenger, report["baseline"]["ndcg_at_10"], rival and rival[1], absent=absent
    )
    drifted = judgement.drift_of(data, rival[1] if rival else challenger, champion)
    return evaluation.content(promotion.RECOMMENDER, report, challenger, rival, decision, drifted)


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    if asked.interactions is None:
        raise InputError("no interactions: give --interactions or the channel SM_CHANNEL_INTERACTIONS")
    started = time.monotonic()
    data = read_dataset(asked.interactions, asked.tags, asked.friends)
    options = hybrid.Options(
        largest_square=asked.largest_square, **{name: getattr(asked, name) for name in HYPERPARAMETERS}
    )
    champion, absent = evaluation.champion_in(asked.champion, judgement.read_champion)
    kept, judged = train(data, options, champion)
    report = report_of(data, judged, asked)
    artifact.save(kept, asked.model_dir)
    drift.save(drift.reference(judgement.watched(data)), asked.model_dir)
    (asked.model_dir / "metrics.json").write_text(json.dumps(report, indent=2))
    (asked.model_dir / "model_card.md").write_text(card(report))
    output = evaluation.output_folder(asked.output_data_dir, asked.model_dir)
    evaluation.write(output, evaluated(data, report, judged, champion, absent))
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
