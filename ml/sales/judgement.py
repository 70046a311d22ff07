"""Figures of a sales model on a holdout, by segment, and the champion on the same holdout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ml import evaluation
from ml.promotion import Judgement, Segment
from ml.sales import features, metrics, model

JUDGED = "judged"  # folder of the model that was judged: fitted on nothing from its holdout on
NEW_ARTIST = 5  # an act with fewer reports known is new
SMALL = 0.25  # share of the reports, those of the smallest houses


@dataclass(frozen=True)
class Champion:
    """The model in service, as it was judged.

    :param holdout_from: first day that its judged model has not seen
    """

    version: str
    judged: model.SalesModel
    holdout_from: pd.Timestamp


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged, of other features, or holds no judged model
    """
    report = evaluation.stored_report(folder)
    try:
        judged = model.load(folder / JUDGED)
        return Champion(str(report["version"]), judged, pd.Timestamp(report["holdout_from"]))
    except (model.UnreadableModelError, model.IncompatibleModelError, KeyError, ValueError) as error:
        raise evaluation.UnusableChampionError(f"champion {report['version']} is unusable ({error})") from error


def judge(trained: model.SalesModel, rows: pd.DataFrame, reports: pd.DataFrame) -> Judgement:
    """WAPE of tickets, R2 of utilisation and coverage of the interval, and WAPE of small houses and new acts.

    :param rows: features of the reports
    """
    actual, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    tickets = reports["tickets_sold"].astype(float)
    forecast = trained.predict(rows)
    expected = forecast["predicted"] * capacity
    seats = capacity / reports["performances"].astype(float).clip(lower=1)
    parts = {
        "small_venue": seats <= seats.quantile(SMALL),
        "new_artist": rows["act_reports"] < NEW_ARTIST,
    }
    return Judgement(
        {
            "wape": metrics.wape(tickets, expected),
            "utilisation_r2": metrics.r_squared(actual, forecast["predicted"]),
            "interval_80_coverage": metrics.coverage(actual, forecast["lower"], forecast["upper"]),
        },
        {
            name: Segment("wape", int(part.sum()), metrics.wape(tickets[part], expected[part]) if part.any() else 0.0)
            for name, part in parts.items()
        },
    )


def naive(otherwise: float, rows: pd.DataFrame, reports: pd.DataFrame) -> dict[str, float]:
    """The same figures of the act's last utilisation."""
    actual, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    share = model.fallback(rows, otherwise)
    return {
        "wape": metrics.wape(reports["tickets_sold"].astype(float), share * capacity),
        "utilisation_r2": metrics.r_squared(actual, share),
    }
