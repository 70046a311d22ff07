"""Features of a forecast, each computed only from reports that had ended before the forecast was due.

A report is a run of performances of one act at one venue; its target is utilisation, tickets sold / capacity. Gross and
prices of the report itself never enter: within a week they are tickets in other words. Those of former reports do.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import numpy as np
import pandas as pd

from ml.box_office import acceptance
from ml.sales import gaussian, holidays, season

# Raised whenever a feature changes its meaning under the same name: a model of another schema is refused, not misread.
FEATURE_SCHEMA = 2
HORIZON_DAYS = 1  # a week that ends on the eve of the next may be seen
# From which distances, in days, the season's move is measured; a target takes the longest that it has reached.
SEASON_FROM = (1, 8, 15, 28, 56, 91, 182, 364, 728)
YEAR = pd.Timedelta(days=364)  # 52 weeks: the same weekday a year ago
SAME_SEASON = pd.Timedelta(days=10)  # a missing week may be stood in for by its neighbour
AT_ONCE = pd.Timedelta(0)
SOLD_OUT = 0.995
SHRINKAGE = 4.0  # reports of the level above that stand in for those that a group lacks
WINDOWS = (21, 90, 365)  # days

# Whose past is looked at: the columns that name the group. A size is a doubling of the seats of a performance.
GROUPS: dict[str, list[str]] = {
    "act": ["artist_id"],
    "member": ["member"],
    "act_venue": ["artist_id", "venue_id"],
    "venue": ["venue_id"],
    "city": ["city"],
    "size": ["size"],
    "market": [],
}
PARENT = {"city": "market", "size": "market", "venue": "city", "act": "size", "member": "size", "act_venue": "act"}
KNOWN = ("last", "last_2", "last_3", "mean_4", "mean_13", "shrunk", "sold_out", "reports", "days_since")
KNOWN_OF = {
    "act": (*KNOWN, "lowest", "mean_21d", "mean_90d", "mean_365d"),
    "member": ("shrunk", "sold_out", "reports", "days_since"),
    "act_venue": ("last", "reports", "days_since"),
    "venue": (*KNOWN, "lowest", "mean_90d", "mean_365d"),
    "city": ("last", "mean_13", "shrunk", "sold_out", "reports", "mean_90d"),
    "size": ("mean_13", "shrunk", "sold_out", "mean_90d"),
    "market": ("mean_13", "mean_365d"),
}
YEAR_AGO = {"year_ago": pd.Timedelta(0), "year_ago_next": pd.Timedelta(days=7)}

# Of a week the market has one value only, which names the week: trees learn it by heart. It serves naive forecasts and
# what the features of a city and of a size are drawn to.
FEATURES = [
    *(f"{group}_{name}" for group, names in KNOWN_OF.items() for name in names if group != "market"),
    *(f"act_{name}" for name in YEAR_AGO),
    "season_shift",
    "season_shift_4",
    "act_last_in_season",
    "act_mean_4_in_season",
    "process_mean",
    "process_deviation",
    "act_capacity_ratio",
    "act_demand_ratio",
    "venue_capacity_ratio",
    "act_performances_ratio",
    "act_price",
    "act_price_trend",
    "log_capacity",
    "log_seats",
    "performances",
    "length_days",
    "days_ahead",
    "members",
    "week_of_year",
    "month",
    "weekday",
    *(f"days_to_{name}" for name in holidays.HOLIDAYS),
]

BESIDE = ["act_last_tickets", "market_mean_13", "market_mean_365d"]  # for the naive forecasts alone

Horizon: TypeAlias = int | pd.Series
REPORT_COLUMNS = ["artist_id", "venue_id", "city", "period_start", "period_end", "performances", "capacity"]
_BILL = re.compile(r"\s*(?:,|/|;|\+|\bw/|\bwith\b|\bfeat(?:uring|\.)?|\bft\.)\s*", re.IGNORECASE)


class MissingColumnsError(ValueError):
    """A frame lacks columns that the features need."""


def utilisation(reports: pd.DataFrame) -> pd.Series:
    """Tickets sold / capacity of each report, 0..1.6; above 1 means standing room."""
    return reports["tickets_sold"].astype(float) / reports["capacity"].astype(float)


def bill(name: str) -> list[str]:
    """The acts of a bill such as ``A / B with C``, headliner first."""
    parts = [part for part in _BILL.split(name) if part]
    return parts or [name]


def build(
    history: pd.DataFrame,
    targets: pd.DataFrame,
    horizon_days: Horizon = HORIZON_DAYS,
    weights: dict[str, float] | None = None,
) -> pd.DataFrame:
    """Features of each target from the reports in history that ended early enough.

    :param history: reports with REPORT_COLUMNS and tickets_sold, and gross where known. Those without a date, a
        capacity or tickets teach nothing and are left out
    :param targets: reports or upcoming events with REPORT_COLUMNS; the index is kept
    :param horizon_days: a report is seen when it ended at least so many days before the target's period starts; one
        number for all targets, or one for each of their index
    :param weights: of the process (gaussian.learn)
    :raises MissingColumnsError: when a column is absent
    """
    nearest = int(np.min(np.asarray(horizon_days), initial=HORIZON_DAYS))
    if nearest < 1:
        raise ValueError(f"a horizon of {nearest} days would show a day's own reports: give at least 1")
    _check(history, [*REPORT_COLUMNS, "tickets_sold"], "history")
    _check(targets, REPORT_COLUMNS, "targets")
    if targets.empty:
        return pd.DataFrame(columns=[*FEATURES, *BESIDE], index=targets.index, dtype=np.float32)
    known = usable(history)
    asked = _asked(targets, horizon_days)
    parts = {group: _group_features(known, asked, group) for group in GROUPS}
    for group in ("city", "size", "venue", "act", "member", "act_venue"):
        parts[group] = _shrink(parts[group], parts[PARENT[group]])
    features = pd.concat([part.add_prefix(f"{group}_") for group, part in parts.items()], axis=1)
    features = features.join(gaussian.forecast(known, asked, weights or gaussian.COMPONENTS))
    features = _add_season(features, known, asked)
    features = _add_own_facts(features, asked)[[*FEATURES, *BESIDE]].sort_index()
    features.index = targets.index
    return features.astype(np.float32)


def with_process(
    rows: pd.DataFrame, history: pd.DataFrame, targets: pd.DataFrame, horizon_days: Horizon, weights: dict[str, float]
) -> pd.DataFrame:
    """The same features as another model's process sees them; the rest does not depend on it and is not built again.

    :param rows: build() of the targets
    """
    asked = _asked(targets, horizon_days)
    process = gaussian.forecast(usable(history), asked, weights).sort_index()
    process.index = targets.index
    return rows.assign(**process.astype(np.float32))


def _check(frame: pd.DataFrame, columns: list[str], name: str) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise MissingColumnsError(f"{name} lacks {', '.join(missing)}: it has {', '.join(map(str, frame.columns))}")


def _described(frame: pd.DataFrame) -> pd.DataFrame:
    """REPORT_COLUMNS in one type each, and what follows from them."""
    texts = {name: frame[name].fillna("").astype(str).to_numpy() for name in ("artist_id", "venue_id", "city")}
    numbers = {
        name: pd.to_numeric(frame[name], errors="coerce").to_numpy(float) for name in ("capacity", "performances")
    }
    dates = {name: pd.to_datetime(frame[name]).to_numpy() for name in ("period_start", "period_end")}
    made = pd.DataFrame({**texts, **numbers, **dates})
    # A reversed period has not ended before it began: else a report would be in its own past.
    made["period_end"] = made[["period_start", "period_end"]].max(axis=1).where(made["period_end"].notna())
    made["performances"] = made["performances"].where(made["performances"] >= 1, 1.0)
    made["capacity"] = made["capacity"].where(made["capacity"] > 0)
    names = frame["artist"] if "artist" in frame else pd.Series("", index=frame.index)
    bills = {name: bill(name) for name in set(names.fillna("").astype(str))}
    headed = [bills[name] if name else [key] for name, key in zip(names.fillna(""), made["artist_id"], strict=True)]
    return made.assign(acts=headed, size=_doubling(made))


def _doubling(frame: pd.DataFrame) -> pd.Series:
    """Class of size: seats of a performance between two powers of two; -1 without a capacity."""
    return np.floor(np.log2(frame["capacity"] / frame["performances"])).fillna(-1).astype(int)


def usable(history: pd.DataFrame) -> pd.DataFrame:
    """Reports that teach something, in the order of their ends."""
    known = _described(history)
    known["tickets_sold"] = pd.to_numeric(history["tickets_sold"], errors="coerce").to_numpy(float)
    known["gross"] = _comparable_gross(history)
    known["utilisation"] = utilisation(known)
    dated = known["period_end"].notna() & known["period_start"].notna()
    known = known[dated & known["utilisation"].between(0, acceptance.MOST_SEATED, inclusive="right")]
    known = known.sort_values(["period_end", "artist_id", "venue_id"], kind="stable", ignore_index=True)
    return known.assign(day=_days(known["period_end"]))


def _comparable_gross(history: pd.DataFrame) -> np.ndarray:
    """Gross in the currency of the act's first report that tells one: prices in several are no level and no trend.

    The first one stays the first, so that no later report changes which prices a forecast has seen.
    """
    if "gross" not in history:
        return np.full(len(history), np.nan)
    gross = pd.to_numeric(history["gross"], errors="coerce")
    if "currency" in history:
        dated = pd.DataFrame({"act": history["artist_id"], "end": pd.to_datetime(history["period_end"])})
        told = dated.assign(currency=history["currency"].fillna(""))[gross.notna()].sort_values("end", kind="stable")
        first = dated["act"].map(told.drop_duplicates("act").set_index("act")["currency"])
        gross = gross.where(history["currency"].fillna("") == first)
    return gross.to_numpy(float)


def _asked(targets: pd.DataFrame, horizon_days: Horizon) -> pd.DataFrame:
    """Targets in the order of their cut-offs, indexed by their place in the frame asked for."""
    asked = _described(targets)
    ahead = horizon_days.loc[targets.index].to_numpy() if isinstance(horizon_days, pd.Series) else horizon_days
    asked["days_ahead"] = ahead
    asked["cutoff_at"] = asked["period_start"] - pd.to_timedelta(asked["days_ahead"], unit="D")
    asked = asked.assign(day=_days(asked["period_start"]), cutoff=_days(asked["cutoff_at"]))
    return asked.sort_values("cutoff_at", kind="stable")


def _days(dates: pd.Series) -> pd.Series:
    return (dates - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)


def _group_features(known: pd.DataFrame, asked: pd.DataFrame, group: str) -> pd.DataFrame:
    """What was known of the group on each target's cut-off day."""
    keys = GROUPS[group] or ["all"]
    if group == "member":
        known = known.assign(member=known["acts"]).explode("member", ignore_index=True)
        asked = asked.assign(member=asked["acts"]).explode("member")
    else:
        known, asked = known.assign(all=0), asked.assign(all=0)
    daily = _daily(known[known[keys].ne("").all(axis=1)], keys, group)
    found = _as_of(asked, daily, keys, "cutoff_at")
    found["days_since"] = (asked["cutoff_at"] - found["_end"]).dt.days
    for name in ("reports", "_sum"):
        found[name] = found[name].fillna(0)
    for days in WINDOWS:
        if f"mean_{days}d" in KNOWN_OF[group]:
            before = _as_of(asked, daily, keys, "cutoff_at", shift=-pd.Timedelta(days=days))[
                ["_sum", "reports"]
            ].fillna(0)
            count = found["reports"] - before["reports"]
            found[f"mean_{days}d"] = (found["_sum"] - before["_sum"]) / count.where(count > 0)
    if group == "act":
        for name, shift in YEAR_AGO.items():
            found[name] = _as_of(asked, daily, keys, "cutoff_at", shift=shift - YEAR, tolerance=SAME_SEASON)["last"]
    if group == "member":
        found = found.drop(columns="_end").groupby(level=0).mean()
        return found.reindex(asked.index.unique())
    return found.drop(columns="_end")


def _daily(known: pd.DataFrame, keys: list[str], group: str) -> pd.DataFrame:
    """A row per group and day on which some of its reports ended, with all that was known at the end of that day."""
    known = known.assign(
        _full=known["utilisation"].ge(SOLD_OUT).astype(float),
        _seats=np.log(known["capacity"] / known["performances"]),
        _demand=np.log(known["tickets_sold"] / known["performances"]),
        _nights=np.log(known["performances"]),
        _price=np.log((known["gross"] / known["tickets_sold"]).where(known["gross"] > 0)),
    )
    daily = known.groupby([*keys, "period_end"], sort=False, as_index=False).agg(
        _tickets=("tickets_sold", "sum"), _capacity=("capacity", "sum"), _mean=("utilisation", "sum"),
        _low=("utilisation", "min"), _count=("utilisation", "size"), _full=("_full", "sum"), _seats=("_seats", "mean"),
        _demand=("_demand", "mean"), _nights=("_nights", "mean"), _price=("_price", "mean"),
    )  # fmt: skip
    daily = daily.sort_values("period_end", kind="stable", ignore_index=True)
    daily["last"] = daily["_tickets"] / daily["_capacity"]
    of_group = daily.groupby(keys, sort=False)
    last = of_group["last"]
    daily["last_tickets"] = daily["_tickets"]
    daily["last_2"], daily["last_3"] = last.shift(1), last.shift(2)
    for name, column, days in (
        ("mean_4", "last", 4), ("mean_13", "last", 13), ("lowest", "_low", 8), ("seats", "_seats", 8),
        ("demand", "_demand", 8), ("nights", "_nights", 8), ("price", "_price", 1), ("price_8", "_price", 8),
    ):  # fmt: skip
        if group not in ("act", "venue") and column != "last":
            daily[name] = np.nan
            continue
        rolled = of_group[column].rolling(days, min_periods=1)
        found = rolled.min() if name == "lowest" else rolled.mean()
        daily[name] = found.reset_index(level=list(range(len(keys))), drop=True)
    daily["reports"] = of_group["_count"].cumsum()
    daily["_sum"] = of_group["_mean"].cumsum()
    daily["sold_out"] = of_group["_full"].cumsum()
    return daily.assign(_end=daily["period_end"])


VALUES = [
    "last_tickets", "last", "last_2", "last_3", "mean_4", "mean_13", "lowest", "seats", "demand", "nights", "price",
    "price_8", "reports", "_sum", "sold_out", "_end",
]  # fmt: skip


def _as_of(
    asked: pd.DataFrame,
    daily: pd.DataFrame,
    keys: list[str],
    on: str,
    shift: pd.Timedelta = AT_ONCE,
    tolerance: pd.Timedelta | None = None,
) -> pd.DataFrame:
    """The newest row of the same group that is not after the day asked for."""
    left = asked[keys].assign(_day=asked[on] + shift)
    dated = left.dropna(subset=["_day", *keys])
    # Without any report the keys have no type that the others could be compared with.
    right = daily[[*keys, *VALUES]].assign(_day=daily["period_end"]).astype(dated[keys].dtypes if daily.empty else {})
    merged = pd.merge_asof(dated, right, on="_day", by=keys, tolerance=tolerance)
    merged.index = dated.index
    return _aligned(merged, left)


def _aligned(merged: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    found = merged[VALUES]
    if len(found) == len(left):
        return found.copy()
    rest = left.index.difference(found.index)
    return pd.concat([found, pd.DataFrame(index=rest, columns=VALUES).astype(found.dtypes)]).loc[left.index]


def _shrink(part: pd.DataFrame, parent: pd.DataFrame) -> pd.DataFrame:
    """Mean and share of sold-out reports, drawn towards the level above by as much as the group lacks reports."""
    above = parent["shrunk"] if "shrunk" in parent else parent["mean_365d"].fillna(parent["mean_13"])
    full = (
        parent["sold_out"]
        if "shrunk" in parent
        else parent["sold_out"] / parent["reports"].where(parent["reports"] > 0)
    )
    seen = part["reports"]
    return part.assign(
        shrunk=(part["_sum"] + SHRINKAGE * above) / (seen + SHRINKAGE),
        sold_out=(part["sold_out"].fillna(0) + SHRINKAGE * full) / (seen + SHRINKAGE),
    )


def _add_season(features: pd.DataFrame, known: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """What the season should make of the act's last reports, as it did in former years over a like distance."""
    daily = _daily(known, GROUPS["act"], "act")
    reached = np.searchsorted(SEASON_FROM, asked["days_ahead"], side="right") - 1
    moves = []
    for place in np.unique(reached):
        part = asked[reached == place]
        cutoffs = known["period_start"] - pd.Timedelta(days=SEASON_FROM[place])
        at = known.assign(cutoff_at=cutoffs).sort_values("cutoff_at")
        before = _as_of(at, daily, GROUPS["act"], "cutoff_at").reindex(known.index)
        moves.append(pd.DataFrame({name: season.shift(known, before[name], part) for name in ("last", "mean_4")}))
    found = pd.concat(moves).reindex(asked.index)
    for name, shifted in (("last", "season_shift"), ("mean_4", "season_shift_4")):
        known_before = features[f"act_{name}"].fillna(features["act_shrunk"])
        moved = known_before + season.room(known_before) * found[name]
        features = features.assign(**{shifted: found[name], f"act_{name}_in_season": moved})
    return features


def _add_own_facts(features: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """What is known of the target itself beforehand: size, performances, calendar."""
    start = asked["period_start"]
    seats = np.log(asked["capacity"] / asked["performances"])
    return features.assign(
        act_capacity_ratio=seats - features["act_seats"],
        act_demand_ratio=features["act_demand"] - seats,
        venue_capacity_ratio=seats - features["venue_seats"],
        act_performances_ratio=np.log(asked["performances"]) - features["act_nights"],
        act_price_trend=features["act_price"] - features["act_price_8"],
        log_capacity=np.log(asked["capacity"]),
        log_seats=seats,
        performances=asked["performances"],
        length_days=(asked["period_end"] - start).dt.days.astype(float),
        days_ahead=asked["days_ahead"].astype(float),
        members=asked["acts"].str.len().astype(float),
        week_of_year=start.dt.isocalendar().week.astype(float),
        month=start.dt.month.astype(float),
        weekday=start.dt.weekday.astype(float),
        **holidays.distances(start),
    )
