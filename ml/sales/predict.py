"""Forecast the sales of upcoming events: entry point of a SageMaker processing job.

Reads model.tar.gz, the history of box-office reports and the upcoming events, and writes forecasts (one row per event)
and the registry's row as JSON lines, which Redshift copies as they are, and the forecasts with their drivers as
TicketSalesPredictionService reads them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from ml import archive, scoring
from ml.sales import backtest, drivers, features, model
from ml.sales.train import TooLittleHistoryError, read_reports

MODEL_NAME = "sales"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    return scoring.parser(__doc__, ("model", "history", "upcoming", "output")).parse_args(arguments)


def forecast(
    trained: model.SalesModel,
    history: pd.DataFrame,
    upcoming: pd.DataFrame,
    horizon_days: int = features.HORIZON_DAYS,
    rows: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per event: tickets with their 80 % interval, utilisation, and what the forecast rests on.

    :param upcoming: events with concert_id, capacity, capacity_basis and the columns of features.REPORT_COLUMNS
    :param rows: their features, built here if not given
    """
    if rows is None:
        rows = features.build(history, upcoming, horizon_days, trained.process)
    predicted = trained.predict(rows)
    capacity = upcoming["capacity"].astype(float)
    return pd.DataFrame(
        {
            "concert_id": upcoming["concert_id"],
            "expected_tickets": (predicted["predicted"] * capacity).round().astype(int),
            "lower_tickets": (predicted["lower"] * capacity).round().astype(int),
            "upper_tickets": (predicted["upper"] * capacity).round().astype(int),
            "capacity": capacity.astype(int),
            "utilisation": predicted["predicted"].astype(float).round(4),
            "basis": basis(rows),
            "capacity_basis": upcoming["capacity_basis"],
        }
    )


def published(
    trained: model.SalesModel,
    history: pd.DataFrame,
    upcoming: pd.DataFrame,
    forecasts: pd.DataFrame,
    rows: pd.DataFrame,
) -> list[dict[str, object]]:
    """What TicketSalesPredictionService reads of each event: the forecast, what drives it, and past prices.

    :param rows: features of the events
    """
    prices = price_ranges(history, upcoming)
    explained = drivers.explain(trained, rows)
    facts = forecasts.to_dict("records")
    return [
        {**fact, "drivers": explained[place], "price_low": prices[place][0], "price_high": prices[place][1]}
        for place, fact in enumerate(facts)
    ]


def price_ranges(history: pd.DataFrame, upcoming: pd.DataFrame) -> list[tuple[float | None, float | None]]:
    """Announced prices of each event (min_price, max_price), else what tickets of the act, or the venue, brought.

    The latter from the tenth to the ninetieth percentile; (None, None) where neither is known.
    """
    announced = {
        name: upcoming.get(name, pd.Series(None, index=upcoming.index, dtype=float))
        for name in ("min_price", "max_price")
    }
    paid = history["gross"].astype(float) / history["tickets_sold"] if "gross" in history else pd.Series(dtype=float)
    paid = paid[paid > 0]
    spans = (
        {
            key: paid.groupby(history.loc[paid.index, key]).quantile([0.1, 0.9]).unstack()
            for key in ("artist_id", "venue_id")
        }
        if len(paid)
        else {}
    )
    found: list[tuple[float | None, float | None]] = []
    for row in range(len(upcoming)):
        low, high = (pd.to_numeric(announced[name].iloc[row], errors="coerce") for name in ("min_price", "max_price"))
        if pd.notna(low) and pd.notna(high):
            found.append((float(low), float(high)))
            continue
        known = [
            span.loc[upcoming[key].iloc[row]] for key, span in spans.items() if upcoming[key].iloc[row] in span.index
        ]
        found.append((round(float(known[0][0.1]), 2), round(float(known[0][0.9]), 2)) if known else (None, None))
    return found


def basis(rows: pd.DataFrame) -> pd.Series:
    """The closest history that a utilisation rests on: the act's own, its venue's, its city's, or the market's."""
    named = pd.Series("market", index=rows.index)
    for group, name in (("city", "city"), ("venue", "venue"), ("act", "own history")):
        named[rows[f"{group}_reports"].gt(0)] = name
    return named


def read_upcoming(folder: Path) -> pd.DataFrame:
    """Upcoming events of all Parquet files below a folder; none is an empty frame."""
    frames = [frame for frame in map(pd.read_parquet, sorted(folder.rglob("*.parquet"))) if not frame.empty]
    if not frames:
        return pd.DataFrame(columns=["concert_id", "capacity_basis", *features.REPORT_COLUMNS])
    return pd.concat(frames, ignore_index=True)


def with_capacity(upcoming: pd.DataFrame, history: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Events with a capacity each: where none or 0 is known, that of the venue's or the act's last report, else the
    median; its basis then says that it is assumed."""
    given = pd.to_numeric(upcoming["capacity"], errors="coerce").astype(float)
    events = upcoming.assign(capacity=given.where(given > 0))
    missing = events["capacity"].isna()
    if not missing.any():
        return events
    performances = pd.to_numeric(events["performances"], errors="coerce")
    events = events.assign(
        performances=performances.where(performances >= 1, 1.0), period_start=pd.to_datetime(events["period_start"])
    )
    sized = {name: pd.to_numeric(history[name], errors="coerce") for name in ("capacity", "performances")}
    known = history.assign(
        capacity=sized["capacity"].where(sized["capacity"] > 0),
        performances=sized["performances"].where(sized["performances"] >= 1, 1.0),
    )
    return events.assign(
        capacity=backtest.assumed_capacity(known, events, horizon_days),
        capacity_basis=events["capacity_basis"].mask(missing, "assumed from history"),
    )


def read_model(folder: Path) -> tuple[model.SalesModel, dict[str, Any]]:
    """The served model of model.tar.gz, and its metrics.json.

    :raises model.UnreadableModelError: when it is missing or damaged
    """
    try:
        with archive.unpacked(folder) as files:
            return model.load(files), json.loads((files / "metrics.json").read_text())
    except (archive.DamagedArchiveError, OSError, json.JSONDecodeError) as error:
        raise model.UnreadableModelError(
            f"{folder / archive.FILE} holds no readable sales model ({error}): take another version, or train again"
        ) from error


def run(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    trained, report = read_model(options.model)
    history = read_reports(options.history)
    upcoming = with_capacity(read_upcoming(options.upcoming), history, report["horizon_days"])
    stamps = {"as_of": options.as_of, "model_name": MODEL_NAME, "model_version": report["version"]}
    rows = features.build(history, upcoming, report["horizon_days"], trained.process)
    forecasts = forecast(trained, history, upcoming, report["horizon_days"], rows)
    stamped = forecasts.assign(**stamps, run_id=options.run_id) if not upcoming.empty else forecasts
    scoring.write_rows(options.output / "forecasts" / "forecasts.json", stamped.to_dict("records"))
    served = [] if upcoming.empty else published(trained, history, upcoming, stamped, rows)
    scoring.write_rows(options.output / "service" / "forecasts.json", served)
    registry = scoring.registry_row(MODEL_NAME, report, options)
    scoring.write_rows(options.output / "registry" / "registry.json", [registry])
    counts = stamped["basis"].value_counts().to_dict() if len(stamped) else {}
    print(f"{len(stamped)} upcoming events forecast; basis: {counts}")


def main(arguments: list[str] | None = None) -> None:
    try:
        run(arguments)
    except (TooLittleHistoryError, model.UnreadableModelError, model.IncompatibleModelError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
