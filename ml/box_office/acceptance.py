"""Which reports curation would load (docs/box-office-files.md), for analyses of files that it has not seen."""

from __future__ import annotations

import pandas as pd

MOST_SEATED = 1.6  # times the capacity; between 1 and this is standing room


def accepted(reports: pd.DataFrame, no_day: pd.Series) -> pd.DataFrame:
    """Reports that break no rule; a key that comes twice keeps its last report.

    ``attrs["rejected"]`` counts the others by the first rule that they break, ``attrs["repeated"]`` the repeated keys.
    A column of which no report tells anything breaks no rule; a report then counts as one performance.

    :param reports: as ml.box_office.reports.read gives them
    :param no_day: whether a report gives something for a date that is none
    """
    tickets, capacity = reports["tickets_sold"], reports["capacity"]
    told = reports.notna().any()
    if not told["performances"]:
        reports = reports.assign(performances=1.0)
    rules = {
        "no_show_or_artist": reports["show"].isna() & reports["artist"].isna() & (told["show"] or told["artist"]),
        "no_venue": reports["venue"].isna() | (reports["country"].isna() & told["country"]),
        "bad_period": no_day | (reports["period_start"] > reports["period_end"]),
        "performances": ~(reports["performances"] >= 1),
        "capacity": ~(capacity > 0),
        "tickets_sold": ~(tickets > 0) | (tickets % 1 != 0) | (tickets > MOST_SEATED * capacity),
        "gross": ~(reports["gross"] >= 0) & told["gross"],
    }
    rejected, bad = {}, pd.Series(False, index=reports.index)
    for name, broken in rules.items():
        rejected[name] = int((broken & ~bad).sum())
        bad |= broken
    kept = reports[~bad]
    repeated = kept.duplicated(["source", "report_id"], keep="last") & kept["report_id"].notna()
    unique = kept[~repeated].reset_index(drop=True)
    unique.attrs["rejected"] = {name: count for name, count in rejected.items() if count}
    unique.attrs["repeated"] = int(repeated.sum())
    return unique
