"""Figures of a venue model on venues that it has not seen, by segment, and the champion on the same venues.

Each venue belongs, by its id, to one of two folds for good. A stored model keeps what was fitted without each fold
(judged.json), so that neither a challenger nor the champion has seen the venues that it is judged on. Some engagements
of such a venue, drawn at random, give an estimate; the mean of its others is the truth.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml import drift, evaluation
from ml.promotion import Judgement, Segment
from ml.venues import features, model
from ml.venues.evaluate import DRAWS, KNOWN, LEAST_ENGAGEMENTS

JUDGED_FILE = "judged.json"
FOLDS = (0, 1)
SMALL = 0.25  # share of the venues, the smallest ones
NEWEST = 364  # days
FEW_REPORTS = 0.25  # of the median venue's reports


@dataclass(frozen=True)
class Champion:
    """
    :param models: by fold, fitted without its venues
    :param metrics: its figures when it was trained
    :param reference: its reports, to see drift of inputs by; None when it is lost
    """

    version: str
    models: dict[int, model.VenueModel]
    metrics: dict[str, float]
    reference: drift.Reference | None


def fold(venue_id: str) -> int:
    return zlib.crc32(venue_id.encode()) % len(FOLDS)


def cross_fit(rows: pd.DataFrame) -> dict[int, model.VenueModel]:
    """For each fold the model of the other one's venues; none where a fold has no venue."""
    folds = rows["venue_id"].map({venue: fold(str(venue)) for venue in rows["venue_id"].unique()})
    if folds.nunique() < len(FOLDS):
        return {}
    return {held: model.fit(rows[folds != held]) for held in FOLDS}


def cases(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What each venue with enough engagements shows of itself in each draw, and the truth: the mean of the rest."""
    venues = features.per_venue(rows)
    engagements = rows.groupby(["venue_id", "engagement"], sort=True)[["tickets_sold", "capacity"]].sum()
    rate = engagements["tickets_sold"] / engagements["capacity"]
    able = venues[venues["engagements"] >= LEAST_ENGAGEMENTS]
    random = np.random.default_rng(seed)
    found = []
    for venue_id, venue in able.iterrows():
        own = rate.loc[venue_id].to_numpy()
        for known in KNOWN:
            for _ in range(DRAWS):
                order = random.permutation(len(own))
                shown, rest = own[order[:known]], own[order[known:]]
                found.append(
                    (venue_id, fold(str(venue_id)), known, venue["log_seats"], shown.mean(), rest.mean(), len(rest))
                )
    names = ["venue_id", "fold", "known", "log_seats", "plain", "truth", "rest"]
    drawn = pd.DataFrame(found, columns=names)
    small = able.index[able["seats"] <= able["seats"].quantile(SMALL)] if len(able) else []
    few = able.index[able["reports"] < FEW_REPORTS * able["reports"].median()] if len(able) else []
    # The baseline: the mean of the venues of the other fold, which know nothing of these.
    others = {
        held: venues.loc[[fold(str(v)) != held for v in venues.index], "engagement_rate"].mean() for held in FOLDS
    }
    return drawn.assign(
        mean_of_all=drawn["fold"].map(others), small=drawn["venue_id"].isin(small), few=drawn["venue_id"].isin(few)
    )


def judge(models: dict[int, model.VenueModel], drawn: pd.DataFrame) -> Judgement:
    """Mean absolute error of attendance from 1, 2 and 5 known engagements, coverage of its interval, both segments."""
    if drawn.empty or not models:
        return Judgement({}, {})
    estimates = [
        (*models[row.fold].shrunk(row.plain, row.known, row.log_seats), models[row.fold].within)
        for row in drawn.itertuples()
    ]
    found = pd.DataFrame(estimates, columns=["estimate", "lower", "upper", "within"], index=drawn.index)
    error = (found["estimate"] - drawn["truth"]).abs()
    # The truth itself is a mean of so many engagements: its chance widens the interval.
    half = np.hypot(found["upper"] - found["estimate"], model.Z80 * np.sqrt(found["within"] / drawn["rest"]))
    parts = {"small_venue": drawn["small"], "few_reports": drawn["few"]}
    return Judgement(
        {
            "attendance_mae": float(error.mean()),
            "interval_80_coverage": float(((found["estimate"] - drawn["truth"]).abs() <= half).mean()),
        },
        {
            name: Segment(
                "attendance_mae",
                int(drawn.loc[part, "venue_id"].nunique()),
                float(error[part].mean()) if part.any() else 0.0,
            )
            for name, part in parts.items()
        },
    )


def baseline(drawn: pd.DataFrame) -> dict[str, float]:
    return {} if drawn.empty else {"attendance_mae": float((drawn["mean_of_all"] - drawn["truth"]).abs().mean())}


def save(models: dict[int, model.VenueModel], folder: Path) -> None:
    stored: dict[str, Any] = {str(held): asdict(fitted) for held, fitted in models.items()}
    (folder / JUDGED_FILE).write_text(json.dumps(stored, indent=2))


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged or of other features
    :raises evaluation.UnjudgedChampionError: when it can be served, but holds nothing to be judged
    """
    report = evaluation.stored_report(folder)
    version = str(report["version"])
    try:
        model.load(folder / model.FILE)
    except model.ModelError as error:
        raise evaluation.UnusableChampionError(f"champion {version} is unusable ({error})") from error
    try:
        stored = json.loads((folder / JUDGED_FILE).read_text())
        models = {held: model.of(stored[str(held)], folder / JUDGED_FILE) for held in FOLDS}
        return Champion(version, models, dict(report["metrics"]), drift.load(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise evaluation.UnjudgedChampionError(f"champion {version} cannot be judged ({error!r})") from error


def watched(rows: pd.DataFrame) -> pd.DataFrame:
    """What drift is looked for in; not the level of prices, which drifts by nature."""
    return pd.DataFrame(
        {
            "utilisation": rows["utilisation"],
            "log_seats": np.log(rows["seats"]),
            "performances": rows["performances"].astype(float),
        }
    )


def reference(rows: pd.DataFrame) -> drift.Reference:
    """What the artefact keeps: the last years of its reports."""
    return drift.reference(watched(rows[rows["day"] > rows["day"].max() - pd.Timedelta(days=drift.REFERENCE_DAYS)]))


def drift_of_inputs(rows: pd.DataFrame, champion: Champion | None) -> list[dict[str, Any]]:
    """The newest year of reports against what the champion keeps of its own, or against the years before."""
    newest = rows["day"] > rows["day"].max() - pd.Timedelta(days=NEWEST)
    kept = champion.reference if champion else None
    return drift.inputs(reference(rows[~newest]) if kept is None else kept, watched(rows[newest]))


def drift_of_errors(judged: Judgement, champion: Champion | None) -> list[dict[str, Any]]:
    """Errors of the model in service tonight beside those when it was trained; the challenger's own on the first night.

    :param judged: figures of that model
    """
    if not judged.metrics:
        return []
    before = champion.metrics if champion else judged.metrics
    return [
        drift.error(
            "attendance_mae", judged.metrics["attendance_mae"], before["attendance_mae"] * (1 + drift.ERROR_RISE)
        ),
        drift.error("interval_80_coverage", judged.metrics["interval_80_coverage"], drift.LEAST_COVERAGE, lowest=True),
    ]
