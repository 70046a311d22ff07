"""Features of a forecast, each computed only from reports that had ended before the forecast was due.

A report is a run of performances of one act at one venue; its target is utilisation, tickets sold / capacity. Gross and
prices of the report itself never enter: within a week they are tickets in other words.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

HORIZON_DAYS = 1  # a week that ends on the eve of the next may be seen
GROUPS = {"act": "artist_id", "venue": "venue_id", "city": "city", "market": None}
YEAR = pd.Timedelta(days=364)  # 52 weeks: the same weekday a year ago
SAME_SEASON = pd.Timedelta(days=10)  # a missing week may be stood in for by its neighbour

KNOWN_OF_GROUP = ("last", "last_2", "mean_4", "mean_13", "reports", "days_since")

FEATURES = [
    *(f"{group}_{name}" for group in GROUPS for name in KNOWN_OF_GROUP),
    *(f"{group}_{name}" for group in ("act", "market") for name in ("year_ago", "year_ago_next")),
    "act_capacity_ratio",
    "log_capacity",
    "performances",
    "week_of_year",
    "month",
    "weekday",
]

REPORT_COLUMNS = ["artist_id", "venue_id", "city", "period_start", "period_end", "performances", "capacity"]


class MissingColumnsError(ValueError):
    """A frame lacks columns that the features need."""


def utilisation(reports: pd.DataFrame) -> pd.Series:
    """Tickets sold / capacity of each report, 0..1.6; above 1 means standing room."""
    return reports["tickets_sold"].astype(float) / reports["capacity"].astype(float)


def build(history: pd.DataFrame, targets: pd.DataFrame, horizon_days: int = HORIZON_DAYS) -> pd.DataFrame:
    """Features of each target from the reports in history that ended early enough.

    :param history: reports with REPORT_COLUMNS and tickets_sold
    :param targets: reports or upcoming events with REPORT_COLUMNS; the index is kept
    :param horizon_days: a report is seen when it ended at least so many days before the target's period starts
    :raises MissingColumnsError: when a column is absent
    """
    _check(history, [*REPORT_COLUMNS, "tickets_sold"], "history")
    _check(targets, REPORT_COLUMNS, "targets")
    reports = history.dropna(subset=["period_end"]).assign(utilisation=utilisation)
    reports["period_end"] = pd.to_datetime(reports["period_end"])
    asked = pd.DataFrame(
        {
            "row": np.arange(len(targets)),
            "cutoff": pd.to_datetime(targets["period_start"]).to_numpy() - pd.Timedelta(days=horizon_days),
            **{key: targets[key].to_numpy() for key in GROUPS.values() if key},
        }
    ).sort_values("cutoff", kind="stable")
    parts = [_group_features(reports, asked, group, key) for group, key in GROUPS.items()]
    features = pd.concat(parts, axis=1).sort_index()
    features.index = targets.index
    return _add_own_facts(features, targets)[FEATURES]


def _check(frame: pd.DataFrame, columns: list[str], name: str) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise MissingColumnsError(f"{name} lacks {', '.join(missing)}: it has {', '.join(map(str, frame.columns))}")


def _group_features(reports: pd.DataFrame, asked: pd.DataFrame, group: str, key: str | None) -> pd.DataFrame:
    """What was known of the act, venue, city or market on each target's cut-off day."""
    keys = [key] if key else ["market"]
    reports, asked = (reports, asked) if key else (reports.assign(market=0), asked.assign(market=0))
    daily = reports.groupby([*keys, "period_end"], sort=False, as_index=False).agg(
        tickets=("tickets_sold", "sum"), capacity=("capacity", "sum"), performances=("performances", "sum")
    )
    daily = daily.sort_values("period_end", kind="stable")
    daily["last"] = daily["tickets"].astype(float) / daily["capacity"].astype(float)
    known = daily.groupby(keys, sort=False)["last"]
    daily["last_2"] = known.shift(1)
    daily["mean_4"] = known.transform(lambda values: values.rolling(4, min_periods=1).mean())
    daily["mean_13"] = known.transform(lambda values: values.rolling(13, min_periods=1).mean())
    daily["reports"] = known.cumcount() + 1
    daily["seats"] = daily["capacity"].astype(float) / daily["performances"].astype(float)
    values = ["last", "last_2", "mean_4", "mean_13", "reports", "seats", "period_end"]
    found = _as_of(asked, daily, keys, values, "cutoff")
    found["days_since"] = (asked["cutoff"] - found["period_end"]).dt.days
    found["reports"] = found["reports"].fillna(0)
    if group in ("act", "market"):
        for name, shift in (("year_ago", pd.Timedelta(0)), ("year_ago_next", pd.Timedelta(days=7))):
            then = asked.assign(then=asked["cutoff"] - YEAR + shift)
            found[name] = _as_of(then, daily, keys, ["last"], "then", SAME_SEASON)["last"]
    found = found.drop(columns="period_end") if group == "act" else found.drop(columns=["period_end", "seats"])
    found.index = asked["row"]
    return found.add_prefix(f"{group}_")


def _as_of(
    asked: pd.DataFrame,
    known: pd.DataFrame,
    keys: list[str],
    values: list[str],
    on: str,
    tolerance: pd.Timedelta | None = None,
) -> pd.DataFrame:
    """The newest known row of the same key that is not after the day asked for."""
    columns = list(dict.fromkeys([*keys, *values, "period_end"]))
    known = known[columns].assign(_day=known["period_end"])
    merged = pd.merge_asof(asked, known, left_on=on, right_on="_day", by=keys, tolerance=tolerance)
    merged.index = asked.index
    return merged[values].copy()


def _add_own_facts(features: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """What is known of the target itself beforehand: size, performances, calendar."""
    start = pd.to_datetime(targets["period_start"])
    capacity = targets["capacity"].astype(float)
    performances = targets["performances"].astype(float)
    return features.assign(
        act_capacity_ratio=capacity / performances / features["act_seats"],
        log_capacity=np.log(capacity),
        performances=performances,
        week_of_year=start.dt.isocalendar().week.astype(float),
        month=start.dt.month.astype(float),
        weekday=start.dt.weekday.astype(float),
    )
