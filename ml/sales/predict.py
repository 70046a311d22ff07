"""Forecast the sales of upcoming events: entry point of a SageMaker processing job.

Reads model.tar.gz, the history of box-office reports and the upcoming events, and writes forecasts (one row per event)
and the registry's row as JSON lines, which Redshift copies as they are.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import tempfile
from pathlib import Path

import pandas as pd

from ml.sales import features, model
from ml.sales.train import read_reports

MODEL_NAME = "sales"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "history", "upcoming", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--as-of", required=True, help="day of the forecast, YYYY-MM-DD")
    parser.add_argument("--model-uri", required=True, help="where model.tar.gz lies in S3, kept in the registry")
    return parser.parse_args(arguments)


def forecast(
    trained: model.SalesModel, history: pd.DataFrame, upcoming: pd.DataFrame, horizon_days: int = features.HORIZON_DAYS
) -> pd.DataFrame:
    """One row per event: tickets with their 80 % interval, utilisation, and what the forecast rests on.

    :param upcoming: events with concert_id, capacity, capacity_basis and the columns of features.REPORT_COLUMNS
    """
    rows = features.build(history, upcoming, horizon_days)
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


def write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(options.model / "model.tar.gz") as archive:
            archive.extractall(scratch, filter="data")
        trained = model.load(Path(scratch))
        report = json.loads((Path(scratch) / "metrics.json").read_text())
    upcoming = read_upcoming(options.upcoming)
    stamps = {"as_of": options.as_of, "model_name": MODEL_NAME, "model_version": report["version"]}
    forecasts = forecast(trained, read_reports(options.history), upcoming, report["horizon_days"])
    stamped = forecasts.assign(**stamps, run_id=options.run_id) if not upcoming.empty else forecasts
    write_rows(options.output / "forecasts" / "forecasts.json", stamped.to_dict("records"))
    registry = {
        "name": MODEL_NAME,
        "version": report["version"],
        "run_id": options.run_id,
        "status": "published",
        "metrics": json.dumps(report["metrics"]),
        "baseline": json.dumps(report["baseline"]),
        "model_uri": options.model_uri,
    }
    write_rows(options.output / "registry" / "registry.json", [registry])
    counts = stamped["basis"].value_counts().to_dict() if len(stamped) else {}
    print(f"{len(stamped)} upcoming events forecast; basis: {counts}")


if __name__ == "__main__":
    main()
