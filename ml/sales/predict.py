"""Forecast the sales of upcoming events: entry point of a SageMaker processing job.

Reads model.tar.gz, the history of box-office reports and the upcoming events, and writes forecasts (one row per event)
and the registry's row as JSON lines, which Redshift copies as they are, and the forecasts with their drivers as
TicketSalesPredictionService reads them.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ml import archive, scoring
from ml.sales import backtest, drivers, features, model, prices
from ml.sales.train import TooLittleHistoryError, read_reports

MODEL_NAME = "sales"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    return scoring.parser(__doc__, ("model", "history", "upcoming", "output")).parse_args(arguments)


def forecast(
    trained: model.SalesModel,
    history: pd.DataFrame,
    upcoming: pd.DataFrame,
    as_of: str,
    rows: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per event: tickets with their 80 % interval, utilisation, and what the forecast rests on.

    :param upcoming: events with concert_id, capacity, capacity_basis and the columns of features.REPORT_COLUMNS
    :param as_of: the day on which they are forecast
    :param rows: their features, built here if not given
    """
    if rows is None:
        rows = features.build(history, upcoming, days_ahead(upcoming, as_of), trained.process)
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


def days_ahead(upcoming: pd.DataFrame, as_of: str) -> pd.Series:
    """How many days before each event begins it is forecast, 1 at least."""
    return (pd.to_datetime(upcoming["period_start"]) - pd.Timestamp(as_of)).dt.days.clip(lower=1).astype(int)


def published(
    trained: model.SalesModel,
    history: pd.DataFrame,
    upcoming: pd.DataFrame,
    forecasts: pd.DataFrame,
    rows: pd.DataFrame,
) -> list[dict[str, object]]:
    """What TicketSalesPredictionService reads of each event: the forecast, what drives it, and prices.

    :param rows: features of the events
    """
    explained = drivers.explain(trained, rows)
    ranges = prices.ranges(history, upcoming)
    facts = forecasts.to_dict("records")
    return [{**fact, "drivers": explained[place], **asdict(ranges[place])} for place, fact in enumerate(facts)]


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


def with_capacity(upcoming: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
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
        capacity=backtest.assumed_capacity(known, events, features.HORIZON_DAYS),
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
    upcoming = with_capacity(read_upcoming(options.upcoming), history)
    stamps = {"as_of": options.as_of, "model_name": MODEL_NAME, "model_version": report["version"]}
    rows = features.build(history, upcoming, days_ahead(upcoming, options.as_of), trained.process)
    forecasts = forecast(trained, history, upcoming, options.as_of, rows)
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
