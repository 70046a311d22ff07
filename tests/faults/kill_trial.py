"""Kill a run of the main job at random moments, run it again, and compare the warehouse with an undisturbed run's.

    .venv/bin/python tests/faults/kill_trial.py [--kills 10] [--seed 7]

Takes about ten minutes and deletes the local state (`make clean`) twice, so it is run by hand and not by `make test`.
Every process of the platform, Airflow and engines alike, gets SIGKILL at the same moment; `make run` then goes on.
Ends with 1 and the names of the tables that differ.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from warehouse_checksums import ROOT, checksums

OF_EACH_RUN = ("quality.check_result", "quality.load_audit")


def make(target: str) -> None:
    answer = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(f"make {target} has failed:\n{answer.stdout[-3000:]}{answer.stderr[-1000:]}")


def processes() -> list[int]:
    """Every process that was started from this checkout, but this one and those that it descends from."""
    own, pid = set(), os.getpid()
    while pid > 1:
        own.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in own:
            continue
        try:
            command, folder = (entry / "cmdline").read_bytes().decode(errors="replace"), str((entry / "cwd").readlink())
        except OSError:  # it has ended meanwhile
            continue
        if f"{ROOT}/" in command or folder == str(ROOT) or folder.startswith(f"{ROOT}/"):
            found.append(int(entry.name))
    return found


def kill_everything() -> int:
    """SIGKILL until nothing is left: a killed parent may just have forked."""
    killed = 0
    while pids := processes():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
        time.sleep(0.1)  # the kernel takes a moment to reap; the condition is that no process is left
    return killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--longest", type=float, default=120.0, help="seconds after which a run is killed at the latest"
    )
    options = parser.parse_args()
    moments = random.Random(options.seed)  # noqa: S311 - not for secrets

    make("clean")
    make("run")
    undisturbed, ended = checksums(), 0
    make("clean")
    for number in range(1, options.kills + 1):
        wait = moments.uniform(3.0, options.longest)
        with tempfile.TemporaryFile("w+") as output:
            job = subprocess.Popen(["make", "run"], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
            try:
                code = job.wait(timeout=wait)
                print(f"kill {number}: the run had ended before {wait:.1f} s with exit code {code}", flush=True)
            except subprocess.TimeoutExpired:
                print(f"kill {number}: {kill_everything()} processes after {wait:.1f} s", flush=True)
                job.wait()
                continue
            ended += 1
            output.seek(0)
            if code != 0:  # a task that was killed at each of its tries fails its run: the next one begins anew
                print("\n".join(line for line in output.read().splitlines() if line.startswith("error:")), flush=True)
    make("run")
    disturbed = checksums()
    make("stop")

    # After a run that nobody killed the next one is another, with rows of its own where each run has some.
    compared = (undisturbed.keys() | disturbed.keys()) - (set(OF_EACH_RUN) if ended else set())
    differing = sorted(table for table in compared if undisturbed.get(table) != disturbed.get(table))
    for table in sorted(undisturbed):
        print(f"{table:32s} {undisturbed[table][0]:>9,} {disturbed.get(table, (0, ''))[0]:>9,}", flush=True)
    if differing:
        sys.exit(f"these tables differ from those of the undisturbed run: {', '.join(differing)}")
    print(f"{len(compared)} tables are the same after {options.kills - ended} kills")


if __name__ == "__main__":
    main()
