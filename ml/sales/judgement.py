"""Figures of a sales model on a holdout, by segment, and the champion on the same holdout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ml import drift, evaluation
from ml.promotion import Judgement, Segment
from ml.sales import features, metrics, model

JUDGED = "judged"  # folder of the model that was judged: fitted on nothing from its holdout on
NEW_ARTIST = 5  # an act with fewer reports known is new
SMALL = 0.25  # share of the reports, those of the smallest houses
NEWEST_INPUTS = 364  # days: a whole year, or the season would count as drift
NEWEST_ERRORS = 91  # days
LARGEST_BIAS = 0.03  # of the tickets

# What act and house bring in. Not watched is what drifts by nature: sums that only grow, the calendar, the level of
# prices; nor the market, of which a week has one value only.
WATCHED = [
    "act_last", "act_price_trend", "venue_mean_13", "season_shift", "process_mean", "log_seats", "performances",
    "length_days", "members",
]  # fmt: skip


@dataclass(frozen=True)
class Champion:
    """The model in service, as it was judged.

    :param holdout_from: first day that its judged model has not seen
    :param calibration: its figures on what blend and intervals were set on
    :param reference: its training data, to see drift of inputs by; None when it is lost
    """

    version: str
    judged: model.SalesModel
    holdout_from: pd.Timestamp
    calibration: dict[str, float]
    reference: drift.Reference | None


def read_champion(folder: Path) -> Champion:
    """From the files of a stored model.

    :raises evaluation.UnusableChampionError: when it is damaged or of other features
    :raises evaluation.UnjudgedChampionError: when it can be served, but holds no judged model
    """
    report = evaluation.stored_report(folder)
    try:
        model.load(folder)
    except (model.UnreadableModelError, model.IncompatibleModelError, ValueError) as error:
        raise evaluation.UnusableChampionError(f"champion {report['version']} is unusable ({error})") from error
    try:
        judged = model.load(folder / JUDGED)
        return Champion(
            str(report["version"]),
            judged,
            pd.Timestamp(report["holdout_from"]),
            report["calibration"],
            drift.load(folder),
        )
    except (model.UnreadableModelError, model.IncompatibleModelError, KeyError, ValueError) as error:
        raise evaluation.UnjudgedChampionError(f"champion {report['version']} cannot be judged ({error})") from error


def judge(trained: model.SalesModel, rows: pd.DataFrame, reports: pd.DataFrame) -> Judgement:
    """WAPE of tickets, R2 of utilisation, coverage of the interval, and WAPE of each segment.

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
        "next_day": rows["days_ahead"] == features.HORIZON_DAYS,
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


def by_distance(trained: model.SalesModel, rows: pd.DataFrame, reports: pd.DataFrame) -> list[dict[str, float]]:
    """The figures of ``judge`` by how many days before they begin the reports were forecast, nearest first."""
    ahead = rows["days_ahead"]
    figures = []
    for days in sorted(ahead.unique()):
        part = ahead == days
        naive_wape = naive(trained.mean_utilisation, rows[part], reports[part])["wape"]
        found = judge(trained, rows[part], reports[part]).metrics
        figures.append({"days": int(days), "reports": int(part.sum()), **found, "naive_wape": naive_wape})
    return figures


def naive(otherwise: float, rows: pd.DataFrame, reports: pd.DataFrame) -> dict[str, float]:
    """The same figures of the act's last utilisation."""
    actual, capacity = features.utilisation(reports), reports["capacity"].astype(float)
    share = model.fallback(rows, otherwise)
    return {
        "wape": metrics.wape(reports["tickets_sold"].astype(float), share * capacity),
        "utilisation_r2": metrics.r_squared(actual, share),
    }


def watched(rows: pd.DataFrame, target: pd.Series) -> pd.DataFrame:
    """What drift is looked for in: some features, whether the act is new, and utilisation itself."""
    return rows[WATCHED].assign(new_act=rows["act_reports"].eq(0).astype(float), utilisation=target)


def newest(reports: pd.DataFrame) -> pd.Series:
    """Mask of the reports whose errors are looked at for drift."""
    return reports["period_start"] > reports["period_end"].max() - pd.Timedelta(days=NEWEST_ERRORS)


def drift_of_errors(
    in_service: model.SalesModel,
    calibration: dict[str, float],
    rows: pd.DataFrame,
    reports: pd.DataFrame,
    on_the_eve: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Errors of the newest reports beside those at calibration; none where they are too few.

    :param in_service: the champion's judged model, or the challenger's on the first night
    :param rows: features of the holdout as that model sees them
    :param on_the_eve: features of its newest reports from the shortest distance, by which bias is told: months ahead,
        forecasts of a season lie above or below together
    """
    recent = reports[newest(reports)]
    if len(recent) < drift.FEWEST:
        return []
    figures = judge(in_service, rows.loc[recent.index], recent).metrics
    tickets = recent["tickets_sold"].astype(float)
    expected = in_service.predict(on_the_eve.loc[recent.index])["predicted"] * recent["capacity"].astype(float)
    bias = abs(float((expected - tickets).sum() / tickets.sum()))
    return [
        drift.error("wape", figures["wape"], calibration["wape"] * (1 + drift.ERROR_RISE)),
        drift.error("absolute_bias", bias, LARGEST_BIAS),
        drift.error("interval_80_coverage", figures["interval_80_coverage"], drift.LEAST_COVERAGE, lowest=True),
    ]
