"""What the season did to sales in former years: by how much reports of the same days around the same holidays moved.

A house can gain only what it has empty: the move is measured as a share of the room that the last report left.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.sales import holidays

ROOM_TO = 1.03  # of capacity: what a house can be filled to
SAME_DAYS = 4.0  # days of the year that count as the same season (standard deviation)
SAME_HOLIDAY = 3.0  # days from a holiday that count as the same
MEMORY = 3650.0  # days after which a year weighs a third
LAST_YEAR = 300.0  # days: what is younger is the market's present, not its season
DOUBT = 0.3  # weight of "no move" among the former years
FEW = 5.0  # reports on a day that make it half believed


def room(before: pd.Series) -> pd.Series:
    """Empty share of a house, never none."""
    return (ROOM_TO - before).clip(lower=0.01)


def shift(known: pd.DataFrame, before: pd.Series, asked: pd.DataFrame) -> pd.Series:
    """Expected move of each target, as a share of its room, from reports of former years.

    :param known: reports with period_start, period_end and utilisation
    :param before: utilisation known before each of them, such as that of the act's last report
    :param asked: targets with period_start and cutoff_at; reports that ended after the cut-off are not seen
    """
    rows = known.assign(before=before.to_numpy()).dropna(subset=["before"])
    if rows.empty or asked.empty:
        return pd.Series(0.0, index=asked.index)
    space = room(rows["before"])
    moves = rows.assign(gain=(rows["utilisation"] - rows["before"]) * space, space=space**2)
    days = moves.groupby("period_start", as_index=False).agg(
        gain=("gain", "sum"), space=("space", "sum"), count=("gain", "size"), end=("period_end", "max")
    )
    wanted = asked[["period_start", "cutoff_at"]].drop_duplicates()
    wanted = wanted[wanted["period_start"].notna()]
    weight = _alike(wanted["period_start"], days["period_start"])
    weight[days["end"].to_numpy()[None, :] > wanted["cutoff_at"].to_numpy()[:, None]] = 0
    belief = (days["count"] / (days["count"] + FEW)).to_numpy()
    move = (days["gain"] / days["space"]).clip(-2, 2).to_numpy()
    found = wanted.assign(shift=(weight @ (belief * move)) / (weight @ belief + DOUBT))
    merged = asked[["period_start", "cutoff_at"]].merge(found, how="left", on=["period_start", "cutoff_at"])
    return pd.Series(merged["shift"].fillna(0.0).to_numpy(), index=asked.index)


def _alike(left: pd.Series, right: pd.Series) -> np.ndarray:
    """How alike two days are in the year and around holidays, 0..1, older years weighing less."""
    since = (left.to_numpy()[:, None] - right.to_numpy()[None, :]) / np.timedelta64(1, "D")
    apart = np.abs(left.dt.dayofyear.to_numpy(float)[:, None] - right.dt.dayofyear.to_numpy(float)[None, :])
    squares = (np.minimum(apart, 365 - apart) / SAME_DAYS) ** 2
    here, there = (holidays.distances(side).to_numpy() for side in (left, right))
    for column in range(here.shape[1]):
        squares += ((here[:, column][:, None] - there[:, column][None, :]) / SAME_HOLIDAY) ** 2
    return np.where(since > LAST_YEAR, np.exp(-squares / 2 - since / MEMORY), 0.0)
