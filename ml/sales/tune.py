"""Search the boosters' hyperparameters by forecasts of later reports, within a budget of time.

Each trial trains on the reports before a fold and forecasts the fold, for folds one after the other; the error is that
of an even blend, as a share of the naive forecast's, over WAPE of tickets and squared error of utilisation alike.
Several files, of markets that differ, keep the result from fitting one. Reports from --until on are not looked at, so
that what the models are judged on stays unseen. The result, with its provenance, is hyperparameters.json beside this
file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ml import command_line
from ml.box_office import reports
from ml.sales import backtest, calibration, features, gaussian, metrics, model

if TYPE_CHECKING:
    import optuna

FOLDS = 2
FOLD_ROWS = 1000
TRAIN_ROWS = 5000
FEWEST_REPORTS = 6 * model.FEWEST_ROWS  # a fold is a sixth at most, and what comes before it must carry a booster


class TooFewReportsError(ValueError):
    """A file has too few reports to be divided into folds."""


@dataclass(frozen=True)
class Market:
    """The features of one file, in the order of the reports' ends, with the edges of its folds."""

    name: str
    rows: pd.DataFrame
    target: pd.Series
    capacity: pd.Series
    ended: pd.Series
    started: pd.Series


def market(path: Path, mapping: str, until: pd.Timestamp) -> Market:
    """Features of the newest reports of a file that ended before a day.

    :raises UnreadableReportsError: when the file cannot be read
    :raises TooFewReportsError: when a fold would be left without anything to learn from
    """
    known = features.usable(backtest.identified(reports.read([path], mapping)))
    known = known[known["period_end"] < until].reset_index(drop=True)
    if len(known) < FEWEST_REPORTS:
        raise TooFewReportsError(
            f"{path}: {len(known)} reports with dates, capacity and tickets end before {until:%Y-%m-%d}, "
            f"a search takes {FEWEST_REPORTS}: give a later --until or a longer file"
        )
    newest = known.tail(TRAIN_ROWS + FOLDS * FOLD_ROWS)
    process = gaussian.learn(known[known["period_end"] <= newest["period_end"].iloc[len(newest) // 2]])
    rows = features.build(known, newest, weights=process)
    return Market(
        path.name, rows, newest["utilisation"], newest["capacity"], newest["period_end"], newest["period_start"]
    )


def error(found: Market, settings: dict[str, Any], seed: int, threads: int) -> float:
    """Mean over folds of the blend's errors as shares of the naive forecast's."""
    errors = []
    size = min(FOLD_ROWS, len(found.rows) // 6)
    for fold in range(FOLDS, 0, -1):
        edge = len(found.rows) - fold * size
        later = found.rows.index[edge : edge + size]
        # A run that had not ended when the fold begins is not known then.
        before = found.rows.index[:edge][(found.ended.iloc[:edge] < found.started.loc[later].min()).to_numpy()]
        trained = model.fit(
            found.rows.loc[before], found.target[before], found.capacity[before],
            seed=seed, settings=settings, threads=threads,
        )  # fmt: skip
        rows, target, capacity = found.rows.loc[later], found.target[later], found.capacity[later]
        predicted = calibration.mix(trained.members(rows), model.EVEN)
        naive = model.fallback(rows, trained.mean_utilisation)
        tickets = target * capacity
        errors.append(metrics.wape(tickets, predicted * capacity) / metrics.wape(tickets, naive * capacity))
        errors.append(float(((predicted - target) ** 2).mean() / ((naive - target) ** 2).mean()))
    return float(np.mean(errors))


def search(markets: list[Market], *, trials: int, seconds: float, seed: int, threads: int) -> optuna.Study:
    """A study of at most so many trials and seconds; the first trial is what is in use."""
    import optuna  # of requirements-tune.txt: files are checked without it

    def objective(trial: optuna.Trial) -> float:
        settings = {
            "rounds": trial.suggest_int("rounds", 100, 500, step=50),
            "max_depth": trial.suggest_int("max_depth", 3, 7),
            "eta": trial.suggest_float("eta", 0.015, 0.1, log=True),
            "min_child_weight": trial.suggest_float("min_child_weight", 3, 100, log=True),
            "subsample": trial.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": trial.suggest_float("colsample_bytree", 0.2, 0.9),
            "lambda": trial.suggest_float("lambda", 0.3, 30, log=True),
        }
        return float(np.mean([error(found, settings, seed, threads) for found in markets]))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial(model.hyperparameters())
    study.optimize(objective, n_trials=trials, timeout=seconds)
    return study


def provenance(options: argparse.Namespace, study: optuna.Study) -> dict[str, Any]:
    files = [{"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()} for path in options.reports]
    return {
        "made_by": "python -m ml.sales.tune",
        "made_on": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "reports": files,
        "until": f"{options.until:%Y-%m-%d}",
        "seed": options.seed,
        "optuna": version("optuna"),
        "trials": len(study.trials),
        "budget_seconds": options.seconds,
        "error_as_share_of_naive": round(study.best_value, 5),
        "error_of_former": None if study.trials[0].value is None else round(study.trials[0].value, 5),
    }


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, nargs="+", required=True)
    parser.add_argument("--format", nargs="+", required=True, help="one for each file: canonical, or a mapping's name")
    parser.add_argument(
        "--until", type=command_line.day, required=True, help="reports that end on or after it stay unseen"
    )
    parser.add_argument("--trials", type=command_line.count, default=40)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=command_line.seed, default=7)
    parser.add_argument("--threads", type=command_line.count, default=2)
    parser.add_argument("--output", type=command_line.output_file, default=model.HYPERPARAMETERS_FILE)
    options = parser.parse_args(arguments)
    if len(options.reports) != len(options.format):
        parser.error(f"{len(options.reports)} files and {len(options.format)} formats: give one --format for each file")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    try:
        markets = [
            market(path, mapping, options.until) for path, mapping in zip(options.reports, options.format, strict=True)
        ]
    except (reports.UnreadableReportsError, TooFewReportsError) as error:
        raise SystemExit(f"tune: {error}") from error
    study = search(markets, trials=options.trials, seconds=options.seconds, seed=options.seed, threads=options.threads)
    stored = {"hyperparameters": study.best_params, "provenance": provenance(options, study)}
    options.output.write_text(json.dumps(stored, indent=2) + "\n")
    print(json.dumps(stored, indent=2))


if __name__ == "__main__":
    main()
