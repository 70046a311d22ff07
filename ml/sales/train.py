"""Train the sales model: entry point of a SageMaker training job in script mode.

Reads the history of box-office reports (Parquet) from the channel ``history``, and the model in service from
``champion``, if there is one. Events are forecast from a day to years before they begin, so each report is looked at
from one of several distances, drawn by the seed: its features see nothing of the days between. The last weeks are held
out, the year before them sets blend and intervals, and the model that is kept is fitted on the newest reports with
those. The model that was judged is kept beside it (judged/): it has seen nothing from its holdout on, so that a later
night can judge it again beside its challenger, on reports that neither has seen.
Writes model, metrics.json and model_card.md to SM_MODEL_DIR, and evaluation.json with the decision to
SM_OUTPUT_DATA_DIR.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml import drift, evaluation, promotion
from ml.box_office import acceptance
from ml.sales import card, features, gaussian, judgement, model

BASELINE = "last_utilisation"
DISTANCES = (1, 28, 91, 182, 364, 728)  # days before a report's period begins, from which it is forecast
# Of the reports that teach are looked at from the first of them, since a model of all alike forecasts the next week
# worse; blend, intervals and figures rest on each distance as often.
NEAR = 0.5
TRAIN_ROWS = 12_000  # newest reports that each fit takes: more cost minutes of a night and add little


class TooLittleHistoryError(ValueError):
    """There are too few dated reports to hold any out."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=Path, default=os.environ.get("SM_CHANNEL_HISTORY"))
    parser.add_argument("--champion", type=Path, default=os.environ.get("SM_CHANNEL_CHAMPION"))
    parser.add_argument("--model-dir", type=Path, default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--output-data-dir", type=Path, help="SM_OUTPUT_DATA_DIR, else beside the model")
    parser.add_argument("--version", required=True, help="name of this model version, kept in metrics.json")
    parser.add_argument("--holdout-days", type=int, default=728, help="days at the end that the model is judged on")
    parser.add_argument("--calibration-days", type=int, default=364, help="days before them that set the intervals")
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
    if reports.empty:
        raise TooLittleHistoryError(f"{folder} holds no box-office report with a date: load some before training")
    for column in ("period_start", "period_end"):
        reports[column] = pd.to_datetime(reports[column])
    return reports.sort_values(["period_end", "report_id"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Trained:
    """
    :param kept: fitted on everything, to be served
    :param judged: fitted on nothing from the holdout on
    :param report: content of metrics.json
    :param evaluation: content of evaluation.json
    :param reference: of the training data, which drift is seen by
    """

    kept: model.SalesModel
    judged: model.SalesModel
    report: dict[str, Any]
    evaluation: dict[str, Any]
    reference: drift.Reference


@dataclass(frozen=True)
class Windows:
    """Which reports a training fits on, sets blend and intervals by, and holds out; masks over all reports."""

    early: pd.Series
    middle: pd.Series
    recent: pd.Series
    holdout_from: pd.Timestamp

    def only(self, wanted: pd.Series) -> Windows:
        return replace(self, early=self.early & wanted, middle=self.middle & wanted, recent=self.recent & wanted)


def windows(reports: pd.DataFrame, options: argparse.Namespace) -> Windows:
    """:raises TooLittleHistoryError: when the history is shorter than calibration and holdout together"""
    started, ended = reports["period_start"], reports["period_end"]
    holdout_from = ended.max() - pd.Timedelta(days=options.holdout_days)
    calibration_from = holdout_from - pd.Timedelta(days=options.calibration_days)
    # What had not ended when a part begins belongs to no earlier one.
    middle = (started >= calibration_from) & (ended < holdout_from)
    early = ended < calibration_from
    if not (early.any() and middle.any()):
        raise TooLittleHistoryError(
            f"box-office reports from {started.min():%Y-%m-%d} to {ended.max():%Y-%m-%d} are too few: "
            f"{options.holdout_days + options.calibration_days} days are set aside before training"
        )
    return Windows(early, middle, started >= holdout_from, holdout_from)


def train(
    reports: pd.DataFrame,
    options: argparse.Namespace,
    champion: judgement.Champion | None = None,
    absent: promotion.Absence = promotion.Absence(),  # noqa: B008 - frozen
) -> Trained:
    """Fit, calibrate, judge and decide.

    :param absent: why there is no champion
    :raises TooLittleHistoryError: when the history is shorter than calibration and holdout together
    """
    parts = windows(reports, options)
    process = gaussian.learn(features.usable(reports[parts.early]))
    used = reports[parts.early].tail(TRAIN_ROWS).index.union(reports.index[parts.middle | parts.recent])
    taught_from, judged_from = (distances(reports, options.seed, near) for near in (NEAR, 1 / len(DISTANCES)))
    lessons = features.build(reports, reports.loc[used], taught_from, process).reindex(reports.index)
    later = reports[parts.middle | parts.recent]
    rows = features.build(reports, later, judged_from, process).reindex(reports.index)
    target, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    taught = target.between(0, acceptance.MOST_SEATED, inclusive="right") & reports.index.isin(used)
    parts = parts.only(taught)

    def fitted(part: pd.Series) -> model.SalesModel:
        newest = reports.index[part][-TRAIN_ROWS:]
        settings = {"seed": options.seed, "rounds": options.rounds, "threads": options.threads, "process": process}
        return model.fit(lessons.loc[newest], target[newest], capacity[newest], **settings)

    judged = model.calibrate(fitted(parts.early), rows[parts.middle], target[parts.middle], capacity[parts.middle])
    kept = replace(fitted(taught), blend=judged.blend, margins=judged.margins)
    challenger = judgement.judge(judged, rows[parts.recent], reports[parts.recent])
    calibrated = judgement.judge(judged, rows[parts.middle], reports[parts.middle])
    baseline = judgement.naive(judged.mean_utilisation, rows[parts.recent], reports[parts.recent])
    report = described(reports, parts, options) | {
        "metrics": dict(challenger.metrics),
        "by_distance": judgement.by_distance(judged, rows[parts.recent], reports[parts.recent]),
        "calibration": dict(calibrated.metrics),
        "baseline": {"name": BASELINE, **baseline},
        "blend": kept.blend,
        "margins": kept.margins,
    }
    contest = against(champion, reports, rows, parts, judged_from)
    decision = contest.refusal or promotion.decide(
        promotion.SALES, challenger, baseline["wape"], contest.rival and contest.rival[1], absent=absent
    )
    watched = judgement.watched(lessons, target)
    age = reports["period_end"].max() - reports["period_start"]
    before = taught & (age < pd.Timedelta(days=drift.REFERENCE_DAYS))
    newest = taught & (age < pd.Timedelta(days=judgement.NEWEST_INPUTS))
    known = champion if champion and contest.rival else None
    reference = known.reference if known and known.reference is not None else drift.reference(watched[before & ~newest])
    in_service, held_out = known.judged if known else judged, reports[parts.recent]
    recent = held_out[judgement.newest(held_out)]
    drifted = {
        "inputs": drift.inputs(reference, watched[newest]),
        "errors": judgement.drift_of_errors(
            in_service,
            known.calibration if known else dict(calibrated.metrics),
            rows[parts.recent] if contest.view is None else contest.view,
            held_out,
            features.build(reports, recent, features.HORIZON_DAYS, in_service.process),
        ),
    }
    evaluated = evaluation.content(promotion.SALES, report, challenger, contest.rival, decision, drifted)
    return Trained(kept, judged, report, evaluated, drift.reference(watched[before]))


def distances(reports: pd.DataFrame, seed: int, near: float) -> pd.Series:
    """How many days before it begins each report is looked at, the same in every training of one seed.

    :param near: share of the shortest distance; the others are drawn as often as each other
    """
    keys = reports[["source", "report_id"]].astype(str)
    drawn = pd.util.hash_pandas_object(keys, index=False, hash_key=f"{seed:016d}").to_numpy() / 2**64
    longer = len(DISTANCES) - 1
    shares = np.cumsum([near, *[(1 - near) / longer] * (longer - 1)])
    return pd.Series(np.array(DISTANCES)[np.searchsorted(shares, drawn, side="right")], index=reports.index)


def described(reports: pd.DataFrame, parts: Windows, options: argparse.Namespace) -> dict[str, Any]:
    """What a version was made of, for metrics.json."""
    masks = {"train": parts.early, "calibration": parts.middle, "holdout": parts.recent}
    return {
        "name": "sales",
        "version": options.version,
        "feature_schema": features.FEATURE_SCHEMA,
        "seed": options.seed,
        "distances": list(DISTANCES),
        "data_from": f"{reports['period_start'].min():%Y-%m-%d}",
        "data_through": f"{reports['period_end'].max():%Y-%m-%d}",
        "data_sha256": fingerprint(reports),
        "holdout_from": f"{parts.holdout_from:%Y-%m-%d}",
        "rows": {name: int(mask.sum()) for name, mask in masks.items()},
    }


@dataclass(frozen=True)
class Contest:
    """The champion on the challenger's holdout.

    :param rival: version and scores; None when there is no champion, or nothing fair can be said of it
    :param view: features of the holdout as the champion's own process has them
    :param refusal: why nothing may be replaced
    """

    rival: tuple[str, promotion.Judgement] | None = None
    view: pd.DataFrame | None = None
    refusal: promotion.Decision | None = None


def against(
    champion: judgement.Champion | None, reports: pd.DataFrame, rows: pd.DataFrame, parts: Windows, distance: pd.Series
) -> Contest:
    """Judge the champion on the holdout, if it has seen none of that."""
    if champion is None:
        return Contest()
    if champion.holdout_from > parts.holdout_from:
        return Contest(
            refusal=promotion.keep(
                promotion.SALES,
                f"champion {champion.version} may know reports before {champion.holdout_from:%Y-%m-%d}, held out here "
                f"from {parts.holdout_from:%Y-%m-%d} on: the history ends before the champion's",
            )
        )
    holdout = reports[parts.recent]
    view = features.with_process(rows[parts.recent], reports, holdout, distance, champion.judged.process)
    return Contest((champion.version, judgement.judge(champion.judged, view, holdout)), view)


def fingerprint(reports: pd.DataFrame) -> str:
    """What a training has seen, as one number: the same reports in the same order give the same."""
    seen = reports[[*features.REPORT_COLUMNS, "tickets_sold"]].astype(str)
    return hashlib.sha256(pd.util.hash_pandas_object(seen, index=False).to_numpy().tobytes()).hexdigest()


def figures(report: dict[str, Any], owner: str) -> dict[str, float]:
    """The numbers of the model (``metrics``) or of the naive forecast (``baseline``) in metrics.json."""
    section = report[owner]
    assert isinstance(section, dict)  # noqa: S101 - narrows the type
    return {name: value for name, value in section.items() if isinstance(value, float)}


def run(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    champion, absent = evaluation.champion_in(options.champion, judgement.read_champion)
    trained = train(read_reports(options.history), options, champion, absent)
    trained.kept.save(options.model_dir)
    trained.judged.save(options.model_dir / judgement.JUDGED)
    drift.save(trained.reference, options.model_dir)
    (options.model_dir / "metrics.json").write_text(json.dumps(trained.report, indent=2))
    (options.model_dir / "model_card.md").write_text(card.written(trained.report))
    evaluation.write(evaluation.output_folder(options.output_data_dir, options.model_dir), trained.evaluation)
    # SageMaker reads the figures from these lines (MetricDefinitions of the job).
    for owner in ("metrics", "baseline"):
        for name, value in figures(trained.report, owner).items():
            print(f"{owner}:{name}={value}")


def main(arguments: list[str] | None = None) -> None:
    try:
        run(arguments)
    except (TooLittleHistoryError, features.MissingColumnsError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
