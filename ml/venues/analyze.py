"""Analyse venues from box-office files: JSON for each venue, and charts beside it.

Writes <output>/venues.json (a list, best attendance first) and <output>/<venue_id>.png of the first of them; prints the
JSON when one venue is asked for, of which there always is a chart.
"""

from __future__ import annotations

import argparse
import difflib
import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from ml import command_line
from ml.box_office import reports
from ml.venues import analysis, charts, features, model
from ml.venues.errors import UnknownVenueError

CHARTS = 20  # venues that are drawn if nothing is said: a chart takes 0.4 s of CPU
ALL = "all"


def _charts(text: str) -> float:
    return math.inf if text == ALL else command_line.count(text)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, nargs="+", required=True, help="CSV or Parquet files of box office")
    parser.add_argument("--format", default="canonical", help="canonical, or the name of a mapping in include/mappings")
    parser.add_argument("--venue", help="name or id of one venue; all without it")
    parser.add_argument("--output", type=command_line.output_folder, default=Path("venues"), help="folder to write")
    parser.add_argument("--charts", type=_charts, help=f"venues to draw from the best on, or all; {CHARTS} without it")
    parser.add_argument("--no-charts", action="store_true", help="write JSON only")
    return parser.parse_args(arguments)


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    rows = features.build(reports.read_accepted(asked.reports, asked.format))
    venues, fitted = features.per_venue(rows), model.fit(rows)
    wanted = None if asked.venue is None else named(venues, asked.venue)
    command_line.made_folder(asked.output)
    analyses = analysis.analyze_all(rows, venues, fitted, wanted)
    analyses.sort(key=lambda found: (-found["attendance_rate"]["estimate"], found["venue_id"]))
    text = json.dumps(analyses, indent=2, ensure_ascii=False)
    (asked.output / "venues.json").write_text(text + "\n", encoding="utf-8")
    if not asked.no_charts:
        draw(analyses, rows, asked)
    print(text if asked.venue else f"{len(analyses)} venues in {asked.output}")


def draw(analyses: list[dict[str, Any]], rows: pd.DataFrame, asked: argparse.Namespace) -> None:
    """Charts of the first venues, as many as are asked for; a line says how many have none."""
    most = asked.charts or (len(analyses) if asked.venue else CHARTS)
    drawn = analyses[: int(min(most, len(analyses)))]
    for found in drawn:
        own = rows[rows["venue_id"] == found["venue_id"]]
        charts.draw(found, own, asked.output / f"{found['venue_id']}.png")
    if len(drawn) < len(analyses):
        print(f"charts of the first {len(drawn)} of {len(analyses)} venues: --charts all draws each", file=sys.stderr)


def named(venues: pd.DataFrame, wanted: str) -> list[str]:
    """Ids of the venues of this name (several cities may have one), or of this id.

    :raises UnknownVenueError: with the names that come closest
    """
    names = {str(key): str(name) for key, name in venues["venue"].items()}
    found = [key for key, name in names.items() if wanted.casefold() in (key, name.casefold())]
    if not found:
        close = difflib.get_close_matches(wanted, sorted(set(names.values())), n=3, cutoff=0.4)
        hint = f": did you mean {' or '.join(close)}?" if close else ": give a name that the reports hold"
        raise UnknownVenueError(f"no report is of venue {wanted}{hint}")
    return found


def main() -> None:
    try:
        run()
    except (reports.UnreadableReportsError, features.NoReportsError, UnknownVenueError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
