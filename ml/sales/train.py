"""Train the sales model: entry point of a SageMaker training job in script mode.

Reads the history of box-office reports (Parquet) from the channel ``history``. The last weeks are held out, the year
before them sets blend and intervals, and the model that is kept is fitted on the newest reports with those.
Writes the model, metrics.json and its card, model_card.md, to SM_MODEL_DIR.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ml.sales import card, features, gaussian, metrics, model

BASELINE = "last_utilisation"
TRAIN_ROWS = 12_000  # newest reports that each fit takes: more cost minutes of a night and add little


class TooLittleHistoryError(ValueError):
    """There are too few dated reports to hold any out."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, default=os.environ.get("SM_CHANNEL_HISTORY"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--version", required=True, help="name of this model version, kept in metrics.json")
    parser.add_argument("--holdout-days", type=int, default=728, help="days at the end that the model is judged on")
    parser.add_argument("--calibration-days", type=int, default=364, help="days before them that set the intervals")
    parser.add_argument("--horizon-days", type=int, default=features.HORIZON_DAYS)
    parser.add_argument("--rounds", type=int, help="boosting rounds; those of the last search if not given")
    parser.add_argument("--seed", type=int, default=7)
    # Three models are trained at once on two cores: waiting threads cost more there than a second one gains.
    parser.add_argument("--threads", type=int, default=1, help="of the boosters")
    return parser.parse_args(arguments)


def read_reports(folder: Path) -> pd.DataFrame:
    """Dated box-office reports of all Parquet files below a folder, oldest first.

    :raises TooLittleHistoryError: when there is none
    """
    files = sorted(folder.rglob("*.parquet"))
    frames = [frame for frame in map(pd.read_parquet, files) if not frame.empty]
    if not frames:
        raise TooLittleHistoryError(f"{folder} holds no box-office report: load some before training")
    reports = pd.concat(frames, ignore_index=True).dropna(subset=["period_start", "period_end"])
    for column in ("period_start", "period_end"):
        reports[column] = pd.to_datetime(reports[column])
    return reports.sort_values(["period_end", "report_id"], kind="stable", ignore_index=True)


def evaluate(trained: model.SalesModel, rows: pd.DataFrame, reports: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Holdout figures of the model and of the naive forecast: WAPE of tickets, R2 of utilisation, coverage."""
    actual, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    tickets = reports["tickets_sold"].astype(float)
    forecast = trained.predict(rows)
    naive = model.fallback(rows, trained.mean_utilisation)
    return {
        "metrics": {
            "wape": metrics.wape(tickets, forecast["predicted"] * capacity),
            "utilisation_r2": metrics.r_squared(actual, forecast["predicted"]),
            "interval_80_coverage": metrics.coverage(actual, forecast["lower"], forecast["upper"]),
        },
        "baseline": {
            "wape": metrics.wape(tickets, naive * capacity),
            "utilisation_r2": metrics.r_squared(actual, naive),
        },
    }


def train(reports: pd.DataFrame, options: argparse.Namespace) -> tuple[model.SalesModel, dict[str, object]]:
    """Fit, calibrate and judge; returns the model to keep and the content of metrics.json.

    :raises TooLittleHistoryError: when the history is shorter than calibration and holdout together
    """
    end = reports["period_end"].max()
    holdout_from = end - pd.Timedelta(days=options.holdout_days)
    calibration_from = holdout_from - pd.Timedelta(days=options.calibration_days)
    started, ended = reports["period_start"], reports["period_end"]
    recent = started >= holdout_from
    # What had not ended when a part begins belongs to no earlier one.
    middle = (started >= calibration_from) & (ended < holdout_from)
    early = ended < calibration_from
    if not (early.any() and middle.any()):
        raise TooLittleHistoryError(
            f"box-office reports from {started.min():%Y-%m-%d} to {end:%Y-%m-%d} are too few: "
            f"{options.holdout_days + options.calibration_days} days are set aside before training"
        )
    process = gaussian.learn(features.usable(reports[early]))
    used = reports[early].tail(TRAIN_ROWS).index.union(reports.index[middle | recent])
    rows = features.build(reports, reports.loc[used], options.horizon_days, process).reindex(reports.index)
    target, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    taught = target.between(0, 1.6, inclusive="right") & pd.Series(reports.index.isin(used), index=reports.index)
    early, middle, recent = (part & taught for part in (early, middle, recent))

    def fitted(part: pd.Series) -> model.SalesModel:
        newest = reports.index[part][-TRAIN_ROWS:]
        settings = {"seed": options.seed, "rounds": options.rounds, "threads": options.threads, "process": process}
        return model.fit(rows.loc[newest], target[newest], capacity[newest], **settings)

    judged = model.calibrate(fitted(early), rows[middle], target[middle], capacity[middle])
    judgement = evaluate(judged, rows[recent], reports[recent])
    kept = replace(fitted(taught), blend=judged.blend, margins=judged.margins)
    return kept, {
        "name": "sales",
        "version": options.version,
        "seed": options.seed,
        "horizon_days": options.horizon_days,
        "data_from": f"{started.min():%Y-%m-%d}",
        "data_through": f"{end:%Y-%m-%d}",
        "data_sha256": fingerprint(reports),
        "holdout_from": f"{holdout_from:%Y-%m-%d}",
        "rows": {"train": int(early.sum()), "calibration": int(middle.sum()), "holdout": int(recent.sum())},
        "metrics": judgement["metrics"],
        "baseline": {"name": BASELINE, **judgement["baseline"]},
        "blend": kept.blend,
        "margins": kept.margins,
    }


def fingerprint(reports: pd.DataFrame) -> str:
    """What a training has seen, as one number: the same reports in the same order give the same."""
    seen = reports[[*features.REPORT_COLUMNS, "tickets_sold"]].astype(str)
    return hashlib.sha256(pd.util.hash_pandas_object(seen, index=False).to_numpy().tobytes()).hexdigest()


def figures(report: dict[str, Any], owner: str) -> dict[str, float]:
    """The numbers of the model (``metrics``) or of the naive forecast (``baseline``) in metrics.json."""
    section = report[owner]
    assert isinstance(section, dict)  # noqa: S101 - narrows the type
    return {name: value for name, value in section.items() if isinstance(value, float)}


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    kept, report = train(read_reports(options.history), options)
    kept.save(options.model_dir)
    (options.model_dir / "metrics.json").write_text(json.dumps(report, indent=2))
    (options.model_dir / "model_card.md").write_text(card.written(report))
    # SageMaker reads the figures from these lines (MetricDefinitions of the job).
    for owner in ("metrics", "baseline"):
        for name, value in figures(report, owner).items():
            print(f"{owner}:{name}={value}")


if __name__ == "__main__":
    main()
