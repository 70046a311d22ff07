"""Fit the venue model: entry point of a SageMaker training job in script mode.

Reads the history of box-office reports (Parquet, canonical columns, with venue_id where the warehouse gives one) from
the channel ``history``, and the model in service from ``champion``, if there is one. Writes venue_model.json (served),
judged.json (what the next night's challenger is compared with), metrics.json and model_card.md to SM_MODEL_DIR, and
evaluation.json with the decision to SM_OUTPUT_DATA_DIR.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd

from ml import drift, evaluation, promotion
from ml.promotion import Judgement
from ml.venues import evaluate, features, judgement, model

MODEL_NAME = "venues"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, default=os.environ.get("SM_CHANNEL_HISTORY"))
    parser.add_argument("--champion", type=Path, default=os.environ.get("SM_CHANNEL_CHAMPION"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--output-data-dir", type=Path, help="SM_OUTPUT_DATA_DIR, else beside the model")
    parser.add_argument("--version", required=True, help="name of this model version, kept in metrics.json")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(arguments)


def read_history(folder: Path | None) -> pd.DataFrame:
    """All Parquet files below a folder, reports without dates too.

    :raises features.NoReportsError: when there is none
    """
    files = sorted(folder.rglob("*.parquet")) if folder is not None else []
    frames = [frame for frame in map(pd.read_parquet, files) if not frame.empty]
    if not frames:
        raise features.NoReportsError(f"{folder} holds no box-office report: load some before training")
    history = pd.concat(frames, ignore_index=True)
    for name in ("capacity", "performances", "tickets_sold", "gross"):
        history[name] = pd.to_numeric(history[name], errors="coerce")  # Redshift unloads DECIMAL, which is no float
    for name in ("show", "artist", "city", "country", "currency"):
        if name not in history:
            history[name] = None
    return history


def report_of(
    rows: pd.DataFrame, options: argparse.Namespace, judged: Judgement, baseline: dict[str, float]
) -> dict[str, Any]:
    """Content of metrics.json: errors of venues not seen, beside those of the mean of all venues."""
    days = rows["day"].dropna()
    return {
        "name": MODEL_NAME,
        "version": options.version,
        "feature_schema": features.FEATURE_SCHEMA,
        "seed": options.seed,
        "data_from": f"{days.min():%Y-%m-%d}" if len(days) else None,
        "data_through": f"{days.max():%Y-%m-%d}" if len(days) else None,
        "rows": {"reports": len(rows), "venues": int(rows["venue_id"].nunique())},
        "metrics": dict(judged.metrics),
        "baseline": {"name": "mean_of_all_venues", **baseline},
        "by_known_engagements": evaluate.evaluate(rows, options.seed),
    }


def card(report: dict[str, Any]) -> str:
    lines = [
        f"# Venue model {report['version']}",
        "",
        f"Data: {report['rows']['reports']:,} reports of {report['rows']['venues']:,} venues,"
        f" {report['data_from']} to {report['data_through']}. Seed {report['seed']}.",
        "",
        "| known engagements | error, shrunk | error, plain mean | error, mean of all | 80 % interval holds |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {known} | {row['shrunk']:.4f} | {row['plain_mean']:.4f} | {row['mean_of_all']:.4f} |"
            f" {row['interval_80_coverage']:.3f} |"
            for known, row in report["by_known_engagements"].items()
        ),
        "",
        "Limits: describes the past of a venue with the shows that it had; a trend needs 24 months with revenue,"
        " weekday effects need 20 reports of single nights; money is not adjusted for prices.",
        "",
    ]
    return "\n".join(lines)


def run(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    rows = features.build(read_history(options.history))
    champion, absent = evaluation.champion_in(options.champion, judgement.read_champion)
    judged, drawn = judgement.cross_fit(rows), judgement.cases(rows, options.seed)
    challenger = judgement.judge(judged, drawn)
    report = report_of(rows, options, challenger, judgement.baseline(drawn))
    rival = None if champion is None else (champion.version, judgement.judge(champion.models, drawn))
    decision = promotion.decide(
        promotion.VENUES,
        challenger,
        report["baseline"].get("attendance_mae", math.nan),
        rival and rival[1],
        absent=absent,
    )
    options.model_dir.mkdir(parents=True, exist_ok=True)
    model.fit(rows).save(options.model_dir / model.FILE)
    judgement.save(judged, options.model_dir)
    drift.save(judgement.reference(rows), options.model_dir)
    (options.model_dir / "metrics.json").write_text(json.dumps(report, indent=2))
    (options.model_dir / "model_card.md").write_text(card(report))
    drifted = {
        "inputs": judgement.drift_of_inputs(rows, champion),
        "errors": judgement.drift_of_errors(rival[1] if rival else challenger, champion),
    }
    output = evaluation.output_folder(options.output_data_dir, options.model_dir)
    evaluation.write(output, evaluation.content(promotion.VENUES, report, challenger, rival, decision, drifted))
    # SageMaker reads the figures from these lines (MetricDefinitions of the job).
    for owner in ("metrics", "baseline"):
        for name, value in report[owner].items():
            if isinstance(value, float):
                print(f"{owner}:{name}={value}")


def main() -> None:
    try:
        run()
    except features.NoReportsError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
