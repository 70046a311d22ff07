"""What the command lines of the models say of the samples, and what the plots need beside it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.box_office import reports
from ml.box_office.acceptance import MOST_SEATED
from ml.recommender import data as recommender_data
from ml.recommender import evaluate as recommender
from ml.sales import backtest, features, metrics
from ml.venues import analysis
from ml.venues import evaluate as venues
from ml.venues import features as venue_features
from ml.venues import model as venue_model

BOX_OFFICE = "broadway_weekly_grosses"
SALES_FROM, SALES_TO = "2016-05-29", "2018-05-27"
KNOWN_REPORTS = ((0, 0, "none"), (1, 4, "1-4"), (5, 12, "5-12"), (13, 52, "13-52"), (53, 10**9, "53 or more"))
SPLITS = (1, 2, 3, 4, 5)
SHOWN_VENUES = 6


def box_office(samples: Path) -> list[Path]:
    return [samples / BOX_OFFICE / f"{BOX_OFFICE}.csv.gz"]


def listeners(samples: Path) -> recommender_data.Dataset:
    folder = samples / "lastfm"
    names = ("interactions.tsv.gz", "artist_tags.tsv.gz", "friends.tsv.gz")
    return recommender_data.read_dataset(*(folder / name for name in names))


def sales(samples: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """The backtest of the last two years, by reports known of the act, and its rows for the plots."""
    frame = reports.read(box_office(samples), BOX_OFFICE)
    options = backtest.parse_arguments(
        ["--reports", "-", "--format", BOX_OFFICE, "--from", SALES_FROM, "--to", SALES_TO, "--output", "-"]
    )
    started, spent = time.monotonic(), time.process_time()
    output, figures = backtest.run(frame, options)
    took = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - spent}
    rows = _described(frame, output)
    return {
        **figures,
        "from": SALES_FROM,
        "to": SALES_TO,
        "weekly_origins": int(rows["period_start"].nunique()),
        "time": took,
        "by_reports_known": _by_reports_known(rows),
    }, rows


def _described(frame: pd.DataFrame, output: pd.DataFrame) -> pd.DataFrame:
    """Rows that can be judged, with capacity, and how many reports of the act had ended before."""
    named = backtest.identified(frame)
    share = features.utilisation(named)
    rows = output.assign(
        capacity=named["capacity"], artist_id=named["artist_id"], known=_known(named).reindex(output.index)
    )
    return rows[share.reindex(rows.index).between(0, MOST_SEATED, inclusive="right")]


def _known(named: pd.DataFrame) -> pd.Series:
    ended = named.dropna(subset=["period_end"]).sort_values("period_end", kind="stable")
    days = {act: part.to_numpy() for act, part in ended.groupby("artist_id")["period_end"]}
    counts = [
        int(np.searchsorted(days[act], np.datetime64(start), side="left")) if act in days else 0
        for act, start in zip(named["artist_id"], named["period_start"], strict=True)
    ]
    return pd.Series(counts, index=named.index)


def _by_reports_known(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    table = {}
    for low, high, name in KNOWN_REPORTS:
        part = rows[rows["known"].between(low, high)]
        if len(part):
            table[name] = {
                "reports": len(part),
                "wape": metrics.wape(part["actual"], part["predicted"]),
                "interval_80_coverage": metrics.coverage(part["actual"], part["lower"], part["upper"]),
                "interval_80_width": float(((part["upper"] - part["lower"]) / part["capacity"]).mean()),
            }
    return table


def recommendations(samples: Path) -> dict[str, Any]:
    started = time.monotonic()
    found = recommender.evaluate(listeners(samples), list(SPLITS))
    return {**found, "time": {"seconds": time.monotonic() - started}}


def venue_figures(samples: Path) -> dict[str, Any]:
    """Errors of the attendance rate, and the analyses of the venues with most reports for the plots."""
    rows = venue_features.build(reports.read_accepted(box_office(samples), BOX_OFFICE))
    per_venue, fitted = venue_features.per_venue(rows), venue_model.fit(rows)
    most = per_venue.sort_values("reports", ascending=False, kind="stable").index[:SHOWN_VENUES]
    return {
        "by_known_engagements": venues.evaluate(rows, seed=7),
        "month_effects": fitted.month_effects,
        "venues": len(per_venue),
        "shown": [analysis.analyze(rows, per_venue, fitted, str(venue_id)) for venue_id in most],
    }
