"""Measure the models on the samples and write figures.json, report.html and the generated blocks of a document.

python -m ml.report --output .local/models --document docs/models.md
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from ml.report import measure, nightly, page, tables

ROOT = Path(__file__).parents[2]
PARTS = ("sales", "recommender", "venues", "nightly")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, default=ROOT / "samples")
    parser.add_argument("--output", type=Path, required=True, help="folder of figures.json and report.html")
    parser.add_argument("--document", type=Path, help="Markdown file whose blocks are renewed")
    parser.add_argument("--scale", type=Path, help="figures of tests.performance.measure_recommender_scale")
    parser.add_argument(
        "--parts", nargs="*", default=PARTS, choices=PARTS, help="measure these; others stay as they are"
    )
    return parser.parse_args(arguments)


def one_night_after_another(samples: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        nightly.prepare(samples, folder)
        first = nightly.train(samples, folder, "first", champion=None)
        second = nightly.train(samples, folder, "second", champion="first")
        scoring = nightly.score(samples, folder, "first")
        return {"first": first, "second": second, "scoring": scoring, "latency": nightly.latency(folder, "first")}


def commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"


def main(arguments: list[str] | None = None) -> None:
    options = parse_arguments(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    stored, rows_file = options.output / "figures.json", options.output / "sales_rows.parquet"
    figures: dict[str, Any] = json.loads(stored.read_text()) if stored.exists() else {}
    for part in options.parts:
        print(f"measuring {part}", flush=True)
        if part == "sales":
            figures[part], rows = measure.sales(options.samples)
            rows.to_parquet(rows_file)
        elif part == "nightly":
            figures[part] = one_night_after_another(options.samples)
        else:
            measured = {"recommender": measure.recommendations, "venues": measure.venue_figures}
            figures[part] = measured[part](options.samples)
        stored.write_text(json.dumps(figures, indent=2))  # a part takes minutes: one that breaks costs no other
    if options.scale:
        figures["scale"] = json.loads(options.scale.read_text())
    figures |= {
        "measured_on": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
    }
    stored.write_text(json.dumps(figures, indent=2))
    shown = page.page(figures, pd.read_parquet(rows_file) if rows_file.exists() else None)
    (options.output / "report.html").write_text(shown, encoding="utf-8")
    if options.document:
        changed = tables.update(options.document, tables.blocks(figures))
        print(f"{options.document}: {'figures changed' if changed else 'the same figures'}")
    for name, goal, reached, good in page.goals(figures):
        print(f"{'reached    ' if good else 'NOT REACHED'} {name}: {reached} (goal: {goal})")
    print(f"report: {options.output / 'report.html'}")


if __name__ == "__main__":
    main()
