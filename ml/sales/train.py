"""Train the sales model: entry point of a SageMaker training job in script mode.

Reads the history of box-office reports (Parquet) from the channel ``history``, and the model in service from
``champion``, if there is one. The last weeks are held out, the year before them sets blend and intervals, and the model
that is kept is fitted on the newest reports with those. The model that was judged is kept beside it (judged/): it has
seen nothing from its holdout on, so that a later night can judge it again beside its challenger, on reports that
neither has seen.
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

import pandas as pd

from ml import drift, evaluation, promotion
from ml.sales import card, features, gaussian, judgement, model

BASELINE = "last_utilisation"
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
    holdout, seen = reports[recent], rows[recent]
    challenger = judgement.judge(judged, seen, holdout)
    kept = replace(fitted(taught), blend=judged.blend, margins=judged.margins)
    calibrated = judgement.judge(judged, rows[middle], reports[middle])
    report = {
        "name": "sales",
        "version": options.version,
        "feature_schema": features.FEATURE_SCHEMA,
        "seed": options.seed,
        "horizon_days": options.horizon_days,
        "data_from": f"{started.min():%Y-%m-%d}",
        "data_through": f"{end:%Y-%m-%d}",
        "data_sha256": fingerprint(reports),
        "holdout_from": f"{holdout_from:%Y-%m-%d}",
        "rows": {"train": int(early.sum()), "calibration": int(middle.sum()), "holdout": int(recent.sum())},
        "metrics": dict(challenger.metrics),
        "calibration": dict(calibrated.metrics),
        "baseline": {"name": BASELINE, **judgement.naive(judged.mean_utilisation, seen, holdout)},
        "blend": kept.blend,
        "margins": kept.margins,
    }
    rival, in_service, view = None, judged, seen
    if champion is not None and champion.holdout_from <= holdout_from:
        in_service = champion.judged
        view = features.with_process(seen, reports, holdout, options.horizon_days, in_service.process)
        rival = (champion.version, judgement.judge(in_service, view, holdout))
    if champion is not None and rival is None:
        # Its judged model has seen part of tonight's holdout: nothing fair can be said, so nothing is replaced.
        decision = promotion.keep(
            promotion.SALES,
            f"champion {champion.version} may know reports before {champion.holdout_from:%Y-%m-%d}, held out here from "
            f"{holdout_from:%Y-%m-%d} on: the history ends before the champion's",
        )
    else:
        decision = promotion.decide(
            promotion.SALES, challenger, report["baseline"]["wape"], rival and rival[1], absent=absent
        )
    watched = judgement.watched(rows, target)
    newest = taught & (started > end - pd.Timedelta(days=judgement.NEWEST_INPUTS))
    before = taught & (started > end - pd.Timedelta(days=drift.REFERENCE_DAYS))
    known = champion if rival else None
    kept_inputs = known.reference if known else None
    drifted = {
        "inputs": drift.inputs(
            drift.reference(watched[before & ~newest]) if kept_inputs is None else kept_inputs, watched[newest]
        ),
        "errors": judgement.drift_of_errors(
            in_service, known.calibration if known else dict(calibrated.metrics), view, holdout
        ),
    }
    evaluated = evaluation.content(promotion.SALES, report, challenger, rival, decision, drifted)
    return Trained(kept, judged, report, evaluated, drift.reference(watched[before]))


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
