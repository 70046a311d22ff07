"""Rolling-origin forecasts: each report from a model, a blend and an interval of what had ended by its cut-off.

cut-off of a report   its period_start less the horizon in days
origin                a day on which the boosters are trained again, on the reports that had ended by it
warm-up               origins before the first report asked for, whose forecasts teach blend and interval
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ml.box_office import acceptance
from ml.sales import calibration, features, gaussian, model

TRAIN_ROWS = 24_000  # newest reports that features are built and boosters trained on
REFIT_DAYS = 91
LONGEST_WARM_UP = 728  # days
EARLY_SHARE = 0.02  # of the targets may be due so long before the others that they are forecast apart
WARM_UP_ORIGINS = 4
WARM_UP_FROM = 0.55  # share of the reports known that the first model of the warm-up may see
REMEMBERED = 1500  # newest outcomes that an interval is taken from
REMEMBERED_BLEND = 3000


@dataclass(frozen=True)
class Settings:
    horizon_days: int = features.HORIZON_DAYS
    refit_days: int = REFIT_DAYS
    seed: int = 7
    threads: int = 2
    hyperparameters: dict[str, object] | None = None


def forecast(history: pd.DataFrame, targets: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Utilisation of each target: columns predicted, lower, upper, act_reports, and the naive forecasts of features.

    :param history: all reports, in any order; which of them a forecast sees is decided here
    :param targets: reports to forecast, with features.REPORT_COLUMNS, a capacity each and a period_start each
    """
    known = _teaching(history)
    early = _far_before(targets["period_start"], settings)
    parts = [_forecast(known, targets[~early], settings)]
    if early.any():
        parts.append(forecast(history, targets[early], settings))
    return pd.concat(parts).loc[targets.index]


def _far_before(starts: pd.Series, settings: Settings) -> pd.Series:
    """Targets due so long before nearly all others that these would lose their warm-up to them: a residency that runs
    for years, or a year mistyped."""
    usual = starts.quantile(EARLY_SHARE, interpolation="higher")
    return starts < usual - pd.Timedelta(days=settings.refit_days)


def _forecast(known: pd.DataFrame, targets: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    cutoffs = targets["period_start"] - pd.Timedelta(days=settings.horizon_days)
    first = cutoffs.min()
    before = known[known["period_end"] <= first]
    start = _warm_up_start(before, first)
    process = gaussian.learn(features.usable(before[before["period_end"] <= start]))
    learnt = before.tail(TRAIN_ROWS)
    past = pd.concat([learnt, known[known["period_end"] > first]]).reset_index(drop=True)
    rows = features.build(known, past, settings.horizon_days, process)
    asked = features.build(known, targets, settings.horizon_days, process)
    learning = _Learning(past, rows, features.utilisation(past), settings, process)
    warm, judged = learning.issue(
        past[past["period_end"] <= cutoffs.max()], start, first, cutoffs.max(), asked, cutoffs
    )
    return _calibrated(judged, warm).join(asked)


def _teaching(history: pd.DataFrame) -> pd.DataFrame:
    """Reports with a date, a capacity and tickets, in the order of their ends."""
    share = features.utilisation(history).between(0, acceptance.MOST_SEATED, inclusive="right")
    usable = history["period_start"].notna() & history["period_end"].notna() & share
    # A reversed period has not ended before it began: else a report would be in its own past.
    history = history.assign(period_end=history[["period_start", "period_end"]].max(axis=1))
    return history[usable].sort_values(["period_end", "report_id"], kind="stable", ignore_index=True)


def _warm_up_start(before: pd.DataFrame, first: pd.Timestamp) -> pd.Timestamp:
    if before.empty:
        return first
    early = before["period_end"].tail(TRAIN_ROWS).quantile(WARM_UP_FROM)
    return min(max(early, first - pd.Timedelta(days=LONGEST_WARM_UP)), first)


@dataclass
class _Learning:
    """The reports to learn from, with their features, in the order of their ends."""

    past: pd.DataFrame
    rows: pd.DataFrame
    target: pd.Series
    settings: Settings
    process: dict[str, float]

    def issue(
        self,
        known: pd.DataFrame,
        start: pd.Timestamp,
        first: pd.Timestamp,
        last: pd.Timestamp,
        asked: pd.DataFrame,
        cutoffs: pd.Series,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Forecasts of the members for known reports from the start of the warm-up on, and for the targets."""
        step = max((first - start).days // WARM_UP_ORIGINS, min(self.settings.refit_days, (first - start).days))
        origins = [start + pd.Timedelta(days=step * i) for i in range(WARM_UP_ORIGINS + 1)]
        origins = [day for day in origins if day < first]
        origins += list(pd.date_range(first, last, freq=f"{self.settings.refit_days}D"))
        due = self.past["period_start"] - pd.Timedelta(days=self.settings.horizon_days)
        taught, judged = [], []
        for origin, following in zip(origins, [*origins[1:], last + pd.Timedelta(days=1)], strict=True):
            trained = self._train(origin)
            mine = (due >= origin) & (due < following)
            outcome = pd.DataFrame(
                {
                    "actual": self.target[mine],
                    "capacity": self.past["capacity"][mine].astype(float),
                    "ended": self.past["period_end"][mine],
                    "reports": self.rows["act_reports"][mine],
                }
            )
            taught.append(trained.members(self.rows[mine]).join(outcome))
            now = (cutoffs >= origin) & (cutoffs < following)
            if now.any():
                stamped = {"origin": origin, "cutoff": cutoffs[now], "reports": asked["act_reports"][now]}
                judged.append(trained.members(asked[now]).assign(**stamped))
        return pd.concat(taught), pd.concat(judged).loc[asked.index]

    def _train(self, origin: pd.Timestamp) -> model.SalesModel:
        seen = np.flatnonzero((self.past["period_end"] <= origin).to_numpy())[-TRAIN_ROWS:]
        return model.fit(
            self.rows.iloc[seen],
            self.target.iloc[seen],
            self.past["capacity"].iloc[seen].astype(float),
            seed=self.settings.seed,
            process=self.process,
            settings=self.settings.hyperparameters,
            threads=self.settings.threads,
        )


def _calibrated(judged: pd.DataFrame, taught: pd.DataFrame) -> pd.DataFrame:
    """Blend and interval of each forecast from outcomes known on its cut-off day."""
    taught = taught.sort_values("ended", kind="stable")
    ended = taught["ended"].to_numpy()
    names = [name for name in model.MEMBERS if name in judged]
    parts = []
    for origin, block in judged.groupby("origin"):
        seen = taught[ended <= np.datetime64(origin)].tail(REMEMBERED_BLEND)
        usable = [name for name in names if block[name].notna().all() and name in seen]
        seen = seen.dropna(subset=usable)
        weights = calibration.blend(seen[usable], seen["actual"], seen["capacity"])
        forecasts = block.assign(predicted=calibration.mix(block, weights))
        issued = taught.dropna(subset=usable)
        issued = issued.assign(predicted=calibration.mix(issued, weights))
        issued_ended = issued["ended"].to_numpy()
        for cutoff, due in forecasts.groupby("cutoff"):
            outcomes = issued[: np.searchsorted(issued_ended, np.datetime64(cutoff), side="right")]
            newest = _newest(outcomes)
            known = calibration.margins(newest, newest["actual"], newest["reports"])
            parts.append(calibration.interval(due, due["reports"], known))
    return pd.concat(parts).loc[judged.index]


def _newest(outcomes: pd.DataFrame) -> pd.DataFrame:
    """The newest outcomes of known and of new acts: the latter are few, and must not be forgotten for the former."""
    cold = outcomes["reports"] == 0
    return pd.concat([outcomes[~cold].tail(REMEMBERED), outcomes[cold].tail(REMEMBERED)])
