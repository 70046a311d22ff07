"""Which reports curation would load (docs/box-office-files.md), for analyses of files that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

MOST_SEATED = 1.6  # times the capacity; between 1 and this is standing room
MOST_PERFORMANCES = 2**31 - 1  # of an INT
LARGEST_CAPACITY = 1_000_000_000  # seats
SMALLEST_TOO_LARGE = 999_999_999_999.995  # is rounded to more than a DECIMAL(14, 2) holds
# Bytes of UTF-8 that the warehouse's columns hold.
WIDTHS = {"source": 128, "report_id": 256, "show": 4096, "artist": 4096, "venue": 4096, "city": 1024, "country": 1024,
          "currency": 16}  # fmt: skip


def accepted(reports: pd.DataFrame, no_day: pd.Series, file: pd.Series) -> pd.DataFrame:
    """Reports that break no rule; a key that comes twice keeps its last report.

    ``attrs["rejected"]`` counts the others by the first rule that they break, ``attrs["repeated"]`` those whose key
    comes again. A column of which a file tells nothing breaks no rule there; its reports then count as one performance
    each, and their ids are its own: another file without sources may number its reports alike.

    :param reports: as ml.box_office.reports.read gives them, with prices
    :param no_day: whether a report gives something for a date that is none
    :param file: which file each report is of
    """
    tickets, capacity = reports["tickets_sold"], reports["capacity"]
    told = reports.notna().groupby(file).transform("any")
    reports = reports.assign(performances=reports["performances"].where(told["performances"], 1.0))
    performances, gross = reports["performances"], reports["gross"]
    rules = {
        "no_source_or_id": _untold(reports, told, "source") | _untold(reports, told, "report_id"),
        "no_show_or_artist": reports["show"].isna() & reports["artist"].isna() & (told["show"] | told["artist"]),
        "no_venue": reports["venue"].isna() | _untold(reports, told, "country"),
        "bad_period": no_day | (reports["period_start"] > reports["period_end"]),
        "performances": ~performances.between(1, MOST_PERFORMANCES) | (performances % 1 != 0),
        "capacity": ~((capacity > 0) & (capacity <= LARGEST_CAPACITY)) | (capacity % 1 != 0),
        "tickets_sold": ~(tickets > 0) | (tickets % 1 != 0) | (tickets > MOST_SEATED * capacity),
        "gross": ~((gross >= 0) & (gross < SMALLEST_TOO_LARGE)) & told["gross"],
        "no_currency": _untold(reports, told, "currency"),
        "price": (reports["average_price"] < 0) | (reports["top_price"] < 0),
        "text_too_long": _too_long(reports),
    }
    rejected, bad = {}, pd.Series(False, index=reports.index)
    for name, broken in rules.items():
        rejected[name] = int((broken & ~bad).sum())
        bad |= broken
    kept = reports[~bad]
    keys = kept[["source", "report_id"]].assign(file=file.where(~told["source"]))
    repeated = keys.duplicated(keep="last") & kept["report_id"].notna()
    unique = kept[~repeated].reset_index(drop=True)
    unique.attrs["rejected"] = {name: count for name, count in rejected.items() if count}
    unique.attrs["repeated"] = int(repeated.sum())
    return unique


def left_out(found: pd.DataFrame) -> Iterator[str]:
    """A line for each kind of reports that accepted() has left out."""
    if found.attrs["rejected"]:
        counts = ", ".join(f"{rule} {count}" for rule, count in found.attrs["rejected"].items())
        yield f"left out, as curation would: {counts}"
    if found.attrs["repeated"]:
        yield (
            f"left out, as curation would: {found.attrs['repeated']} whose source and report_id come again in a later "
            "report (of the same file, if it names no source): give each report an id of its own if they differ"
        )


def _untold(reports: pd.DataFrame, told: pd.DataFrame, name: str) -> pd.Series:
    return reports[name].isna() & told[name]


def _too_long(reports: pd.DataFrame) -> pd.Series:
    long = [
        reports[name].map(lambda text, width=width: isinstance(text, str) and len(text.encode()) > width)
        for name, width in WIDTHS.items()
    ]
    return pd.concat(long, axis=1).any(axis=1)
