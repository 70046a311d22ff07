"""Bring ten million interactions into the warehouse, and see how much memory Airflow's own processes take meanwhile.

    make up && .venv/bin/python tests/faults/worker_memory_trial.py [--millions 10] [--limit-mb 1024]

Needs a running platform, whose state it adds to. Drops files of interactions, which go through ingest_concerts,
curate_concerts and load_warehouse, and reads the resident memory of each process of Airflow, tasks among them, four
times a second. Takes some minutes, so it is run by hand and not by `make test`. Ends with 1 when a process of Airflow
has taken more than a small worker has, or the rows are not all in the warehouse.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import psycopg2
from backfill_trial import Platform, until
from warehouse_checksums import ROOT

sys.path.insert(0, str(ROOT / "tests" / "performance"))
from curation import PREFIX, generate

LOOKS_A_SECOND = 4
ROWS = "SELECT COUNT(*) FROM core.fact_interaction"


class Watch(threading.Thread):
    """Highest resident memory of each kind of Airflow process, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest: defaultdict[str, float] = defaultdict(float)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(1 / LOOKS_A_SECOND):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    self._look(entry)

    def _look(self, entry: Path) -> None:
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            status = (entry / "status").read_text()
        except OSError:  # it has ended meanwhile
            return
        if "airflow" in command and f"{ROOT}/" in command and "VmRSS:" in status:
            megabytes = int(status.partition("VmRSS:")[2].split()[0]) / 1024
            kind = command.partition("airflow")[2].strip()[:60] or command[:60]
            self.highest[kind] = max(self.highest[kind], megabytes)

    def stop(self) -> None:
        self._ended.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=float, default=10)
    parser.add_argument("--limit-mb", type=float, default=1024)
    options = parser.parse_args()
    platform, wanted = Platform(), int(options.millions * 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        generate(Path(name), wanted)
        for path in sorted((Path(name) / "raw" / PREFIX).glob("*.tsv")):
            key = f"landing/interactions/source=lastfm/trial-{path.name}"
            platform.s3.upload_file(str(path), platform.known["buckets"]["raw"], key)

    def rows() -> int:
        with psycopg2.connect(platform.known["warehouse_dsn"]) as connection, connection.cursor() as cursor:
            cursor.execute(ROWS)
            return int(cursor.fetchone()[0])

    def has_arrived() -> bool:
        failed = [dag for dag in ("ingest_concerts", "curate_concerts", "load_warehouse")
                  if any(run["state"] == "failed" for run in platform.airflow.runs(dag))]  # fmt: skip
        if failed:
            sys.exit(f"{failed[0]} has failed: see the Airflow UI")
        return rows() >= wanted

    watch = Watch()
    watch.start()
    started = time.monotonic()
    platform.airflow.trigger("ingest_concerts", f"memory-{int(time.time())}", {})
    until(has_arrived, f"{wanted:,} interactions in the warehouse")
    seconds = time.monotonic() - started
    watch.stop()

    for kind, megabytes in sorted(watch.highest.items(), key=lambda item: -item[1]):
        print(f"{megabytes:7.0f} MB  {kind}")
    print(f"{rows():,} interactions are in the warehouse after {seconds:.0f} s")
    if max(watch.highest.values()) > options.limit_mb:
        sys.exit(f"a process of Airflow has taken more than {options.limit_mb:.0f} MB")


if __name__ == "__main__":
    main()
