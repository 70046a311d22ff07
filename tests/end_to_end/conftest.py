"""A second checkout with a small input, side by side with the first: own ports, own state, shared environments."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.bootstrap import ENVIRONMENTS, ROOT

COPIED = ("dags", "plugins", "include", "ml", "local", "samples", "constraints", "requirements.txt", "deploy_stacks.sh")
BROADWAY_ROWS = 6_000  # the newest; the model sets three years aside
INTERACTION_ROWS = 2_000
DAILY = re.compile(r'cron_utc\("0 \d+ \* \* \*"\)')
SECONDS = 1200  # a slow machine with other work takes five times as long as a quiet one


class Checkout:
    """A copy of the project that runs by its own command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / ".local"

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))}
        return subprocess.run(
            [sys.executable, "-m", "local", *arguments], cwd=self.folder, env=environment, check=False,
            capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip

    def read(self, name: str) -> Any:
        return json.loads((self.state / name).read_text())

    def client(self, service: str) -> Any:
        import boto3

        known = self.read("endpoints.json")
        return boto3.client(
            service, endpoint_url=known["aws_endpoint_url"], region_name=known["aws_region"],
            aws_access_key_id=known["aws_access_key_id"], aws_secret_access_key=known["aws_secret_access_key"],
        )  # fmt: skip

    def processes(self) -> list[int]:
        """Process ids of everything that runs from this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    where = os.readlink(entry / "cwd")
                except OSError:
                    continue
                if where.startswith(str(self.folder)):
                    found.append(int(entry.name))
        return found


def shorten(path: Path, rows: int, *, header: bool) -> None:
    """Keep the header and the last rows of a gzip-compressed text file."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    kept = [*lines[:1], *lines[1:][-rows:]] if header else lines[-rows:]
    path.write_bytes(gzip.compress("".join(kept).encode(), mtime=0))


def postpone_daily_runs(dags: Path, now: datetime) -> list[str]:
    """Let no daily schedule be due for 22 hours: a run of its own would be one too many for these tests.

    :return: the DAGs that have one
    """
    found = []
    for path in sorted(dags.glob("*.py")):
        program, schedules = DAILY.subn(f'cron_utc("0 {(now - timedelta(hours=1)).hour} * * *")', path.read_text())
        if schedules:
            path.write_text(program)
            found.append(path.stem)
    return found


@pytest.fixture(scope="package")  # an idle platform costs a third of a core: it ends with the last of these tests
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    (folder / ".local" / "venvs").mkdir(parents=True)
    for environment in ENVIRONMENTS.values():
        if environment.exists():
            (folder / environment.relative_to(ROOT)).symlink_to(environment)
    postponed = postpone_daily_runs(folder / "dags", datetime.now(UTC))
    assert postponed == ["backfill_warehouse", "detect_infrastructure_drift", "ingest_concerts", "retrain_models"]
    shorten(folder / "samples/broadway_weekly_grosses/broadway_weekly_grosses.csv.gz", BROADWAY_ROWS, header=True)
    shorten(folder / "samples/lastfm/interactions.tsv.gz", INTERACTION_ROWS, header=True)
    made = Checkout(folder)
    yield made
    made.command("clean")


@pytest.fixture(scope="package")
def first_run(checkout: Checkout) -> subprocess.CompletedProcess[str]:
    """The output of the first `run`; it must have succeeded for the tests that look at what it left."""
    answer = checkout.command("run")
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]
    for name in ("aws-calls", "run-report"):
        shutil.copy2(checkout.state / f"{name}.json", checkout.state / f"first-{name}.json")
    return answer


@pytest.fixture(scope="package")
def first_report(checkout: Checkout, first_run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """What the first run has reported, whatever ran since."""
    return dict(checkout.read("first-run-report.json"))


@pytest.fixture(scope="package")
def first_calls(checkout: Checkout, first_run: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What the first run asked of AWS; a later run begins a new log."""
    kept = checkout.state / "first-aws-calls.json"
    return list(json.loads(kept.read_text())["calls"])
