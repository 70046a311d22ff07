"""Judge the venue model: does shrinking few engagements to what the size lets expect forecast the others better?

Half of the venues, drawn anew each time, are taken as new: `known` random engagements of each give an estimate, and the
mean of its others is the truth. The other half keeps its history, which the model is fitted on. Beside the shrunk
estimate stand the venue's plain mean and the mean of all venues. The 80 % interval, widened by the chance in the truth
itself, should hold about 80 % of the truths.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from ml import command_line
from ml.box_office import reports
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
    venue_ids = engagements["venue_id"].unique()
    new = random.permutation(venue_ids)[: max(len(venue_ids) // 2, 1)]
    order = pd.Series(random.random(len(engagements)), index=engagements["engagement"])
    chosen = order.groupby(engagements.set_index("engagement")["venue_id"]).nsmallest(known).index.get_level_values(-1)
    is_new, is_known = rows["venue_id"].isin(new), rows["engagement"].isin(chosen)
    seen, hidden = rows[~is_new | is_known], rows[is_new & ~is_known]
    fitted, venues = model.fit(seen), features.per_venue(seen)
    one = hidden.groupby(["venue_id", "engagement"])[["tickets_sold", "capacity"]].sum()
    truth = (one["tickets_sold"] / one["capacity"]).groupby("venue_id").agg(["mean", "count"])
    chance = model.Z80 * np.sqrt(fitted.within / truth["count"])
    estimates = [
        (key, *fitted.shrunk(row.engagement_rate, row.engagements, row.log_seats), row.engagement_rate)
        for key, row in zip(venues.index, venues.itertuples(), strict=True)
        if key in truth.index
    ]
    compared = pd.DataFrame(estimates, columns=["venue_id", "shrunk", "lower", "upper", "plain"]).set_index("venue_id")
    half = np.hypot(compared["upper"] - compared["shrunk"], chance)
    return compared.assign(
        truth=truth["mean"],
        lower=compared["shrunk"] - half,
        upper=compared["shrunk"] + half,
        all=float(venues["engagement_rate"].mean()),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, nargs="+", required=True)
    parser.add_argument("--format", default="canonical")
    parser.add_argument("--seed", type=command_line.seed, default=7)
    asked = parser.parse_args(arguments)
    try:
        rows = features.build(reports.read_accepted(asked.reports, asked.format))
    except (reports.UnreadableReportsError, features.NoReportsError) as error:
        raise SystemExit(str(error)) from error
    print(json.dumps(evaluate(rows, asked.seed), indent=2))


if __name__ == "__main__":
    main()
