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
from dataclasses import dataclass, replace
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
# Newest reports before the first fold, which its models learn from: fewer than the 12,000 of a nightly fit, so that
# more trials find room in the budget.
LEARNT_ROWS = 5000
FEWEST_JUDGED = 50  # reports of a fold: an error of fewer is mostly chance
NO_ERROR = 1e-6  # of tickets, of the naive forecast: a share of less says nothing
FEWEST_REPORTS = 6 * model.FEWEST_ROWS  # a fold is a sixth at most, and what comes before it must carry a booster


class UnsuitableReportsError(ValueError):
    """No fold can be made of a file's reports, or none says which hyperparameters are better."""


@dataclass(frozen=True)
class Fold:
    """Reports that are learnt from, and those that are then forecast; none of the latter had begun by then.

    :param naive: errors of the naive forecast, which the model's are divided by: WAPE, mean squared error
    """

    before: pd.Index
    later: pd.Index
    naive: tuple[float, float] = (np.nan, np.nan)


@dataclass(frozen=True)
class Market:
    """The features of one file, in the order of the reports' ends, with its folds."""

    name: str
    rows: pd.DataFrame
    target: pd.Series
    capacity: pd.Series
    folds: list[Fold]


def market(path: Path, mapping: str, until: pd.Timestamp) -> Market:
    """Features of the newest reports of a file that ended before a day.

    :raises UnreadableReportsError: when the file cannot be read
    :raises UnsuitableReportsError: when a fold has too few reports, or the naive forecast no error there
    """
    known = features.usable(backtest.identified(reports.read([path], mapping)))
    known = known[known["period_end"] < until].reset_index(drop=True)
    if len(known) < FEWEST_REPORTS:
        raise UnsuitableReportsError(
            f"{path}: {len(known)} reports with dates, capacity and tickets end before {until:%Y-%m-%d}, "
            f"a search takes {FEWEST_REPORTS}: give a later --until or a longer file"
        )
    newest = known.tail(LEARNT_ROWS + FOLDS * FOLD_ROWS)
    divided = folds(newest, path)
    process = gaussian.learn(known[known["period_end"] <= newest["period_end"].iloc[len(newest) // 2]])
    rows = features.build(known, newest, weights=process)
    target, capacity = newest["utilisation"], newest["capacity"]
    judged = [replace(fold, naive=naive_errors(fold, rows, target, capacity)) for fold in divided]
    if min(fold.naive[0] for fold in judged) < NO_ERROR:
        raise UnsuitableReportsError(
            f"{path}: the naive forecast of its last reports before {until:%Y-%m-%d} has no error, as where all is "
            "sold out, so no share of it can be made smaller: give another --until or another file"
        )
    return Market(path.name, rows, target, capacity, judged)


def folds(reports: pd.DataFrame, path: Path) -> list[Fold]:
    """The last reports by their ends, in FOLDS parts one after the other, each with all that had ended before it.

    A run that had begun by then is in no fold: it would have to be forecast from what was known before it began.

    :raises UnsuitableReportsError: when too few of a part begin after what is before it has ended
    """
    ends = reports["period_end"].reset_index(drop=True)
    size = min(FOLD_ROWS, len(reports) // 6)
    # Reports of one end are not parted: those behind the edge would all have begun by then.
    edges = [int(ends.searchsorted(ends.iloc[len(ends) - number * size])) for number in range(FOLDS, 0, -1)]
    found = []
    for edge, end in zip(edges, [*edges[1:], len(ends)], strict=True):
        part = reports.iloc[edge:end]
        later = part.index[part["period_start"] > ends.iloc[:edge].max()]
        if edge < model.FEWEST_ROWS or len(later) < FEWEST_JUDGED:
            raise UnsuitableReportsError(
                f"{path}: of its reports that end from {ends.iloc[edge]:%Y-%m-%d} on, {len(later)} begin after the "
                f"{edge} before them have ended, a search takes {FEWEST_JUDGED} after {model.FEWEST_ROWS}: give "
                "another --until, or a file of more days and shorter periods"
            )
        found.append(Fold(reports.index[:edge], later))
    return found


def errors(target: pd.Series, predicted: pd.Series, capacity: pd.Series) -> tuple[float, float]:
    """WAPE of tickets and mean squared error of utilisation."""
    return metrics.wape(target * capacity, predicted * capacity), float(((predicted - target) ** 2).mean())


def naive_errors(fold: Fold, rows: pd.DataFrame, target: pd.Series, capacity: pd.Series) -> tuple[float, float]:
    typical = float(np.average(target[fold.before], weights=capacity[fold.before]))
    predicted = model.fallback(rows.loc[fold.later], typical)
    return errors(target[fold.later], predicted, capacity[fold.later])


def error(found: Market, settings: dict[str, Any], seed: int, threads: int) -> float:
    """Mean over folds of the blend's errors as shares of the naive forecast's."""
    shares = []
    for fold in found.folds:
        trained = model.fit(
            found.rows.loc[fold.before], found.target[fold.before], found.capacity[fold.before],
            seed=seed, settings=settings, threads=threads,
        )  # fmt: skip
        predicted = calibration.mix(trained.members(found.rows.loc[fold.later]), model.EVEN)
        reached = errors(found.target[fold.later], predicted, found.capacity[fold.later])
        shares += [own / naive for own, naive in zip(reached, fold.naive, strict=True)]
    return float(np.mean(shares))


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
    parser.add_argument("--seconds", type=command_line.seconds, default=900.0, help="no trial begins after so many")
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
    except (reports.UnreadableReportsError, UnsuitableReportsError) as error:
        raise SystemExit(f"tune: {error}") from error
    written = command_line.made_parent(options.output)
    study = search(markets, trials=options.trials, seconds=options.seconds, seed=options.seed, threads=options.threads)
    stored = {"hyperparameters": study.best_params, "provenance": provenance(options, study)}
    written.write_text(json.dumps(stored, indent=2) + "\n")
    print(json.dumps(stored, indent=2))


if __name__ == "__main__":
    main()
