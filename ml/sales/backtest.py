"""Backtest the sales forecasts on any file of box-office reports, by rolling origin.

Each report whose period ends in --from..--to is forecast from the reports whose period had ended at least
--horizon-days before its own starts, and from its own capacity, performances, place, dates and names. Its tickets,
gross and prices are never seen. The output has one row per such report, in the order of the files. `predicted`
estimates the mean of tickets, `lower` and `upper` bound an 80 % interval. A report without a capacity gets that of its
venue's, else its act's, last one before the cut-off (else the median known), and is left out of the figures. So is one
whose period_start cannot be read: it has no cut-off, and its row no forecast.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from ml import command_line
from ml.box_office import reports
from ml.box_office.acceptance import MOST_SEATED
from ml.sales import features, metrics, naive, rolling

OUTPUT = ["source", "report_id", "show", "artist", "venue", "period_start", "period_end"]
NO_SEATS_KNOWN = 1000.0  # seats of a performance where no report tells any


class NothingToForecastError(ValueError):
    """No report lies in the range asked for, or none says what a forecast could be learnt from."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, nargs="+", required=True, help="CSV, gzipped CSV or Parquet files")
    parser.add_argument("--format", required=True, help="canonical, or the name of a file of include/mappings/")
    day, days, output_file = command_line.day, command_line.days, command_line.output_file
    parser.add_argument("--from", dest="first", type=day, required=True, help="first period_end, YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=day, required=True, help="last period_end, YYYY-MM-DD")
    parser.add_argument("--horizon-days", type=days, default=features.HORIZON_DAYS)
    parser.add_argument("--output", type=output_file, required=True, help="CSV file to write")
    parser.add_argument("--refit-days", type=days, default=rolling.REFIT_DAYS, help="days between two trainings")
    parser.add_argument("--seed", type=command_line.seed, default=7)
    parser.add_argument("--threads", type=command_line.count, default=2)
    parser.add_argument("--metrics", type=output_file, help="JSON file to write the figures to as well")
    return parser.parse_args(arguments)


def identified(frame: pd.DataFrame) -> pd.DataFrame:
    """Reports with the ids that features compare: names in one spelling, a venue with its city, artist before show."""
    spelt = {name: frame[name].fillna("").astype(str).str.split().str.join(" ").str.casefold() for name in
             ("artist", "show", "venue", "city", "country")}  # fmt: skip
    place = spelt["venue"] + "|" + spelt["city"]
    return frame.assign(
        artist_id=spelt["artist"].where(spelt["artist"].ne(""), spelt["show"]),
        venue_id=place.where(spelt["venue"].ne(""), ""),
        artist=spelt["artist"],
        city=(spelt["city"] + "|" + spelt["country"]).where(spelt["city"].ne(""), ""),
        performances=frame["performances"].where(frame["performances"] >= 1, 1.0),
        capacity=frame["capacity"].where(frame["capacity"] > 0),
    )


def assumed_capacity(known: pd.DataFrame, targets: pd.DataFrame, horizon_days: int) -> pd.Series:
    """Capacity of targets that have none, from reports that had ended by their cut-off."""
    sized = known.dropna(subset=["capacity", "period_end"]).sort_values("period_end", kind="stable")
    seats = sized["capacity"] / sized["performances"]
    assumed = {}
    for row in targets[targets["capacity"].isna()].itertuples():
        seen = sized["period_end"] <= row.period_start - pd.Timedelta(days=horizon_days)
        choices = [seen & sized["venue_id"].eq(row.venue_id), seen & sized["artist_id"].eq(row.artist_id)]
        last = [seats[choice].iloc[-1] for choice in choices if choice.any()]
        typical = float(seats[seen].median()) if seen.any() else NO_SEATS_KNOWN
        assumed[row.Index] = float(last[0] if last else typical) * row.performances
    return targets["capacity"].fillna(pd.Series(assumed, dtype=float))


def run(frame: pd.DataFrame, options: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, object]]:
    """Output rows and figures.

    :raises NothingToForecastError: when no report's period ends in the range, or none has a capacity and tickets
    """
    known = identified(frame)
    asked = known["period_end"].between(options.first, options.last)
    if not asked.any():
        ends = known["period_end"]
        raise NothingToForecastError(
            f"none of {len(frame)} reports ends from {options.first:%Y-%m-%d} to {options.last:%Y-%m-%d}: "
            + (
                f"their periods end from {ends.min():%Y-%m-%d} to {ends.max():%Y-%m-%d}"
                if ends.notna().any()
                else "none has a date"
            )
        )
    if features.usable(known).empty:
        raise NothingToForecastError(
            f"none of {len(frame)} reports has a capacity, tickets and dates, so nothing can be learnt: give others"
        )
    targets = known[asked]
    given = targets["capacity"].notna()
    targets = targets.assign(capacity=assumed_capacity(known, targets, options.horizon_days))
    settings = rolling.Settings(options.horizon_days, options.refit_days, options.seed, options.threads)
    # Outcomes of the targets are columns of history alone: nothing below can look at them by mistake.
    hidden = targets[targets["period_start"].notna()].drop(columns=["tickets_sold", "gross"])
    if hidden.empty:
        raise NothingToForecastError(
            f"none of the {len(targets)} reports asked for has a readable period_start, so none has a cut-off"
        )
    found = rolling.forecast(known, hidden, settings).reindex(targets.index)
    capacity, actual = targets["capacity"], targets["tickets_sold"]
    output = frame.loc[targets.index, OUTPUT].assign(
        actual=actual, **{name: (found[name] * capacity).round(2) for name in ("predicted", "lower", "upper")}
    )
    given &= found["predicted"].notna()
    counted = given & (features.utilisation(targets) <= MOST_SEATED) & actual.gt(0)
    return output, figures(output[counted], capacity[counted], naive.forecasts(found, capacity)[counted], len(output))


def figures(output: pd.DataFrame, capacity: pd.Series, simple: pd.DataFrame, rows: int) -> dict[str, object]:
    """Error of the forecast and of each naive one, over reports with a capacity and tickets."""
    if output.empty:
        return {"rows": rows, "counted": 0}
    actual = output["actual"]
    return {
        "rows": rows,
        "counted": len(output),
        "model": {
            **_errors(actual, output["predicted"], capacity),
            "interval_80_coverage": metrics.coverage(actual, output["lower"], output["upper"]),
            "interval_80_width": float(((output["upper"] - output["lower"]) / capacity).mean()),
        },
        "naive": {name: _errors(actual, simple[name], capacity) for name in simple},
    }


def _errors(actual: pd.Series, predicted: pd.Series, capacity: pd.Series) -> dict[str, float]:
    return {
        "wape": metrics.wape(actual, predicted),
        "utilisation_r2": metrics.r_squared(actual / capacity, predicted / capacity),
    }


def tell_left_out(frame: pd.DataFrame, options: argparse.Namespace) -> None:
    """Say of which reports there is no row, or no forecast, since a date is missing."""
    undated = int(frame["period_end"].isna().sum())
    if undated:
        print(f"{undated} of {len(frame)} reports have no period_end that can be read: no row", file=sys.stderr)
    asked = frame["period_end"].between(options.first, options.last)
    unstarted = int((asked & frame["period_start"].isna()).sum())
    if unstarted:
        print(f"{unstarted} of {int(asked.sum())} reports in the range have no period_start that can be read:"
              " a row without a forecast", file=sys.stderr)  # fmt: skip


def shown(report: dict[str, object]) -> str:
    """The figures as lines for a terminal."""
    lines = [f"{report['rows']} reports forecast, {report['counted']} with capacity and tickets to be judged by"]
    if not report["counted"]:
        return lines[0]
    model, simple = report["model"], report["naive"]
    assert isinstance(model, dict)  # noqa: S101 - narrows the type
    assert isinstance(simple, dict)  # noqa: S101 - narrows the type
    lines.append(f"{'forecast':24}{'WAPE':>9}{'R2 of utilisation':>20}")
    for name, errors in {"model": model, **simple}.items():
        r2 = errors["utilisation_r2"]
        lines.append(f"{name:24}{errors['wape']:9.2%}{'undefined' if np.isnan(r2) else f'{r2:.3f}':>20}")
    lines.append(
        f"80 % interval: holds {model['interval_80_coverage']:.1%} of outcomes, "
        f"{model['interval_80_width']:.1%} of capacity wide on average"
    )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        frame = reports.read(options.reports, options.format)
        tell_left_out(frame, options)
        written = [command_line.made_parent(path) for path in (options.output, options.metrics) if path]
        output, report = run(frame, options)
    except (reports.UnreadableReportsError, NothingToForecastError) as error:
        print(f"backtest: {error}", file=sys.stderr)
        return 2
    output.to_csv(written[0], index=False, date_format="%Y-%m-%d")
    if options.metrics:
        written[1].write_text(json.dumps(report, indent=2))
    print(shown(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
