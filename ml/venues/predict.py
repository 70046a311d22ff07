"""Analyse every venue in batch: entry point of a SageMaker processing job.

Reads the model and the history, and writes JSON lines, which Redshift copies as they are: one row per venue, whose
``analysis`` is JSON text, and the registry's row. `service.read_files` reads the same folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ml import archive
from ml.venues import analysis, features, model
from ml.venues.train import MODEL_NAME, read_history


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "history", "output"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    parser.add_argument("--run-id", required=True)
    parser.add_argument("--as-of", required=True, help="day of the analysis, YYYY-MM-DD")
    parser.add_argument("--model-uri", required=True, help="where model.tar.gz lies in S3, kept in the registry")
    return parser.parse_args(arguments)


def read_model(folder: Path) -> tuple[model.VenueModel, dict[str, Any]]:
    """The model and its metrics.json, from model.tar.gz or from an unpacked folder.

    :raises model.ModelError: when they are missing or damaged
    """
    try:
        with archive.unpacked(folder) as files:
            return model.load(files / model.FILE), json.loads((files / "metrics.json").read_text())
    except (archive.DamagedArchiveError, OSError, json.JSONDecodeError) as error:
        raise model.ModelError(f"{folder} holds no usable venue model ({error}): train again, or roll back") from error


def run(arguments: list[str] | None = None) -> None:
    asked = parse_arguments(arguments)
    fitted, report = read_model(asked.model)
    rows = features.build(read_history(asked.history))
    venues = features.per_venue(rows)
    stamps = {
        "as_of": asked.as_of,
        "model_name": MODEL_NAME,
        "model_version": report["version"],
        "run_id": asked.run_id,
    }
    analyses = [analysis.analyze(rows, venues, fitted, str(venue_id)) for venue_id in venues.index]
    published = [
        {"venue_id": found["venue_id"], "venue": found["venue"], "analysis": json.dumps(found)} | stamps
        for found in analyses
    ]
    _write(asked.output / "analyses" / "analyses.json", published)
    registry = {
        "name": MODEL_NAME,
        "version": report["version"],
        "run_id": asked.run_id,
        "status": "published",
        "metrics": json.dumps(report["metrics"]),
        "baseline": json.dumps(report["baseline"]),
        "model_uri": asked.model_uri,
    }
    _write(asked.output / "registry" / "registry.json", [registry])
    evidence = [found["basis"]["evidence"] for found in analyses]
    counts = {name: evidence.count(name) for name in ("strong", "moderate", "weak")}
    print(f"{len(analyses)} venues analysed; evidence: {counts}")


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    try:
        run()
    except (features.NoReportsError, model.ModelError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
