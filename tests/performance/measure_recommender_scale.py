"""Train the recommender on generated interactions and state time and peak memory.

    python -m tests.performance.measure_recommender_scale --interactions 10000000

Listeners of 50 groups of taste prefer their group's artists; within all, popularity falls as in real catalogues.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

GROUPS = 50


def generate(path: Path, interactions: int, users: int, items: int, seed: int = 7) -> None:
    """A TSV of user, item, weight; repeated pairs (about a tenth) are left in, as a stream of plays holds them."""
    random = np.random.default_rng(seed)
    user = random.integers(0, users, interactions)
    fame = 1 / np.arange(1, items + 1) ** 0.8
    item = np.searchsorted(np.cumsum(fame) / fame.sum(), random.random(interactions))
    # Two thirds of the plays go to the nearest item of the user's own group.
    own = random.random(interactions) < 2 / 3
    item = np.where(own, item // GROUPS * GROUPS + user % GROUPS, item).clip(0, items - 1)
    weight = random.geometric(0.02, interactions)
    table = pa.table({"user": user, "item": item, "weight": weight})
    with path.open("wb") as file:
        file.write(b"user\titem\tweight\n")  # pyarrow would quote the header
        pv.write_csv(table, file, pv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--output", type=Path, help="JSON file to write the figures to as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path, model = Path(scratch) / "train.tsv", Path(scratch) / "model"
        generate(path, asked.interactions, asked.users, asked.items)
        command = [sys.executable, "-m", "ml.recommender.train", "--interactions", str(path), "--model-dir", str(model)]
        started = time.monotonic()
        subprocess.run([*command, "--version", "scale"], check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        metrics = json.loads((model / "metrics.json").read_text())
        figures = {
            "interactions": asked.interactions,
            "rows": metrics["rows"],
            "seconds": round(time.monotonic() - started),
            "cpu_seconds": round(used.ru_utime + used.ru_stime),
            "peak_gb": round(used.ru_maxrss / 1e6, 2),
            "ndcg_at_10": metrics["metrics"]["ndcg_at_10"],
            "popularity": metrics["baseline"]["ndcg_at_10"],
        }
        print(json.dumps(figures, indent=2))
        if asked.output:
            asked.output.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
