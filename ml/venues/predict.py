"""Analyse every venue in batch: entry point of a SageMaker processing job.

Reads the model and the history, and writes JSON lines, which Redshift copies as they are: one row per venue, whose
``analysis`` is JSON text, and the registry's row. `service.read_files` reads the same folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ml import archive, scoring
from ml.venues import analysis, features, model
from ml.venues.train import MODEL_NAME, read_history


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    return scoring.parser(__doc__, ("model", "history", "output")).parse_args(arguments)


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
    analyses = analysis.analyze_all(rows, venues, fitted)
    published = [
        {"venue_id": found["venue_id"], "venue": found["venue"], "analysis": json.dumps(found)} | stamps
        for found in analyses
    ]
    scoring.write_rows(asked.output / "analyses" / "analyses.json", published)
    registry = scoring.registry_row(MODEL_NAME, report, asked)
    scoring.write_rows(asked.output / "registry" / "registry.json", [registry])
    evidence = [found["basis"]["evidence"] for found in analyses]
    counts = {name: evidence.count(name) for name in ("strong", "moderate", "weak")}
    print(f"{len(analyses)} venues analysed; evidence: {counts}")


def main() -> None:
    try:
        run()
    except (features.NoReportsError, model.ModelError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
