"""Fit the venue model: entry point of a SageMaker training job in script mode.

Reads the history of box-office reports (Parquet, canonical columns, with venue_id where the warehouse gives one) from
the channel ``history``. Writes venue_model.json, metrics.json and model_card.md to SM_MODEL_DIR.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from ml.venues import evaluate, features, model

MODEL_NAME = "venues"
MODEL_FILE = "venue_model.json"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--history", type=Path, default=os.environ.get("SM_CHANNEL_HISTORY"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
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


def report_of(rows: pd.DataFrame, options: argparse.Namespace) -> dict[str, Any]:
    """Content of metrics.json: the errors of one known engagement, beside those of the mean of all venues."""
    judged = evaluate.evaluate(rows, options.seed)
    one = judged.get(str(evaluate.KNOWN[0]), {})
    days = rows["day"].dropna()
    return {
        "name": MODEL_NAME,
        "version": options.version,
        "feature_schema": features.FEATURE_SCHEMA,
        "seed": options.seed,
        "data_from": f"{days.min():%Y-%m-%d}" if len(days) else None,
        "data_through": f"{days.max():%Y-%m-%d}" if len(days) else None,
        "rows": {"reports": len(rows), "venues": int(rows["venue_id"].nunique())},
        "metrics": {
            name: one[figure]
            for name, figure in (("attendance_mae", "shrunk"), ("interval_80_coverage", "interval_80_coverage"))
            if figure in one
        },
        "baseline": {"name": "mean_of_all_venues", **({"attendance_mae": one["mean_of_all"]} if one else {})},
        "by_known_engagements": judged,
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
    report = report_of(rows, options)
    options.model_dir.mkdir(parents=True, exist_ok=True)
    model.fit(rows).save(options.model_dir / MODEL_FILE)
    (options.model_dir / "metrics.json").write_text(json.dumps(report, indent=2))
    (options.model_dir / "model_card.md").write_text(card(report))
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
