"""Bring ten million interactions into the warehouse, and see how much memory Airflow's own processes take meanwhile.

    make up && .venv/bin/python tests/faults/worker_memory_trial.py [--millions 10] [--limit-mb 1024]

Needs a running platform, whose state it adds to. Drops files of interactions, which go through ingest_concerts,
curate_concerts and load_warehouse, and reads the resident memory of each process of Airflow, tasks among them, four
times a second. Takes some minutes, so it is run by hand and not by `make test`. Ends with 1 when a process of Airflow
has taken more than a small worker has.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil
from backfill_trial import Platform, until
from warehouse_checksums import ROOT

sys.path.insert(0, str(ROOT / "tests" / "performance"))
from curation import PREFIX, generate

LOOKS_A_SECOND = 4


class Watch(threading.Thread):
    """Highest resident memory of a process of Airflow, by the service that has started it, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest: defaultdict[str, float] = defaultdict(float)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(1 / LOOKS_A_SECOND):
            for process in psutil.process_iter():
                with suppress(psutil.Error):  # it has ended meanwhile
                    self._look(process)

    def _look(self, process: psutil.Process) -> None:
        command = process.cmdline()
        if any(part.startswith(f"{ROOT}/") and part.endswith("/airflow") for part in command):
            service = command[-1] if command[-1].isalpha() else " ".join(command[-3:])
            for one in (process, *process.children(recursive=True)):  # tasks have a title instead of a command
                with suppress(psutil.Error):
                    self.highest[service] = max(self.highest[service], one.memory_info().rss / 2**20)

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

    run_id = f"memory-{int(time.time())}"

    def has_arrived() -> bool:
        found = platform.audits(run_id)
        if failed := [message for _, status, message in found if status == "failed"]:
            sys.exit(f"the load has failed: {failed[0]}")
        return any(source == "lastfm" and status == "loaded" for source, status, _ in found)

    watch = Watch()
    watch.start()
    started = time.monotonic()
    platform.airflow.trigger("ingest_concerts", run_id, {})
    until(has_arrived, f"{wanted:,} interactions in the warehouse")
    seconds = time.monotonic() - started
    watch.stop()

    for kind, megabytes in sorted(watch.highest.items(), key=lambda item: -item[1]):
        print(f"{megabytes:7.0f} MB  {kind}")
    print(f"{wanted:,} interactions went through ingest, curation and load in {seconds:.0f} s")
    if max(watch.highest.values()) > options.limit_mb:
        sys.exit(f"a process of Airflow has taken more than {options.limit_mb:.0f} MB")


if __name__ == "__main__":
    main()
