"""Judge the venue model: does shrinking few engagements to what the size lets expect forecast the others better?

For each venue with engagements enough, `known` random ones give an estimate, and all others the truth. Beside the
shrunk estimate stand the venue's plain mean and the mean of all venues; the 80 % interval should hold the truth of
about 80 % of venues.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.box_office_reports import ReportFileError, read_reports
from ml.venues import features, model

KNOWN = (1, 2, 5)
LEAST_ENGAGEMENTS = 10  # so that the others say what the venue's attendance truly is
DRAWS = 20


def evaluate(rows: pd.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Mean absolute error of attendance by number of known engagements; the model is fitted on the known ones only."""
    random = np.random.default_rng(seed)
    counts = rows.groupby("venue_id")["engagement"].nunique()
    able = counts.index[counts >= LEAST_ENGAGEMENTS]
    table = {}
    for known in KNOWN if len(able) else ():
        draws = [_draw(rows[rows["venue_id"].isin(able)], known, random) for _ in range(DRAWS)]
        compared = pd.concat(draws)
        table[str(known)] = {
            "venues": len(able),
            "shrunk": float((compared["shrunk"] - compared["truth"]).abs().mean()),
            "plain_mean": float((compared["plain"] - compared["truth"]).abs().mean()),
            "mean_of_all": float((compared["all"] - compared["truth"]).abs().mean()),
            "interval_80_coverage": float(compared["truth"].between(compared["lower"], compared["upper"]).mean()),
        }
    return table


def _draw(rows: pd.DataFrame, known: int, random: np.random.Generator) -> pd.DataFrame:
    engagements = rows[["venue_id", "engagement"]].drop_duplicates().sort_values(["venue_id", "engagement"])
    order = pd.Series(random.random(len(engagements)), index=engagements["engagement"])
    chosen = order.groupby(engagements.set_index("engagement")["venue_id"]).nsmallest(known).index.get_level_values(-1)
    seen = rows[rows["engagement"].isin(chosen)]
    hidden = rows[~rows["engagement"].isin(chosen)]
    fitted, venues = model.fit(seen), features.per_venue(seen)
    one = hidden.groupby(["venue_id", "engagement"])[["tickets_sold", "capacity"]].sum()
    truth = (one["tickets_sold"] / one["capacity"]).groupby("venue_id").mean()
    estimates = [
        (key, *fitted.shrunk(row.attendance_rate, row.engagements, row.log_seats), row.attendance_rate)
        for key, row in zip(venues.index, venues.itertuples(), strict=True)
    ]
    compared = pd.DataFrame(estimates, columns=["venue_id", "shrunk", "lower", "upper", "plain"]).set_index("venue_id")
    return compared.assign(truth=truth, all=float(venues["attendance_rate"].mean())).dropna()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, nargs="+", required=True)
    parser.add_argument("--format", default="canonical")
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args(arguments)
    try:
        rows = features.build(read_reports(asked.reports, asked.format))
    except (ReportFileError, features.NoReportsError) as error:
        raise SystemExit(str(error)) from error
    print(json.dumps(evaluate(rows, asked.seed), indent=2))


if __name__ == "__main__":
    main()
