"""What scoring jobs have in common: their command line, the JSON lines that they write, and the registry's row."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def parser(description: str | None, folders: Iterable[str]) -> argparse.ArgumentParser:
    """Options of a scoring job.

    :param folders: names of the folders that it reads and writes, all of them required
    """
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in folders:
        made.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    made.add_argument("--run-id", required=True)
    made.add_argument("--as-of", required=True, help="day of the scores, YYYY-MM-DD")
    made.add_argument("--model-uri", required=True, help="where model.tar.gz lies in S3, kept in the registry")
    return made


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write JSON lines, as Redshift copies them, and make their folder; returns their number. One row is in memory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
            written += 1
    return written


def registry_row(name: str, report: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The row of ml.model_registry for the version that has scored.

    :param report: metrics.json of the version
    """
    return {
        "name": name,
        "version": report["version"],
        "run_id": options.run_id,
        "status": "published",
        "metrics": json.dumps(report["metrics"]),
        "baseline": json.dumps(report["baseline"]),
        "model_uri": options.model_uri,
    }
