"""Load seven days again by Airflow's own backfill, and compare the warehouse before and after it.

    make run && .venv/bin/python tests/faults/backfill_trial.py [--days 7]

Needs a running platform, whose state it adds to: each day gets a box-office file of its own, which goes through the
chain of ingest_concerts. Takes about ten minutes, so it is run by hand and not by `make test`. Ends with 1 and the
names of the tables that differ.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import boto3
import psycopg2
from warehouse_checksums import ROOT, checksums

sys.path.insert(0, str(ROOT))
from local.platform.airflow_api import AirflowApi

COLUMNS = (
    "source", "report_id", "show", "artist", "venue", "city", "country", "period_start", "period_end", "performances",
    "capacity", "tickets_sold", "gross", "currency", "average_price", "top_price",
)  # fmt: skip
REPORTS_A_DAY = 25
OF_ITS_MOMENT = "quality.check_result"  # a check that is made again judges what later days have brought, too
PATIENCE = 900  # seconds that one step may take
STEP = "backfill_warehouse", "load_warehouse"


def until(look: Callable[[], Any], what: str) -> Any:
    """The first true answer of `look`."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {PATIENCE} s")
        time.sleep(1)
    return found


def file_of(day: date) -> bytes:
    """Reports of one day in the canonical form; every other one repeats a key of the day before with other sales."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for number in range(REPORTS_A_DAY):
        ordinal = day.toordinal() - number % 2
        sold = 500 + (ordinal * 31 + number * 17) % 400 + (day.toordinal() % 7)
        writer.writerow([
            "trial", f"{ordinal}-{number}", f"Show {number}", f"Artist {number}", f"Hall {number % 5}", "Oslo",
            "Norway", day.isoformat(), day.isoformat(), 1, 1000, sold, sold * 40, "NOK", 40, 90,
        ])  # fmt: skip
    return stream.getvalue().encode()


class Platform:
    def __init__(self) -> None:
        self.known = json.loads((ROOT / ".local" / "endpoints.json").read_text())
        self.airflow = AirflowApi(*(self.known[f"airflow_{name}"] for name in ("url", "user", "password")))
        self.s3 = boto3.client(
            "s3", endpoint_url=self.known["aws_endpoint_url"], region_name=self.known["aws_region"],
            aws_access_key_id=self.known["aws_access_key_id"],
            aws_secret_access_key=self.known["aws_secret_access_key"],
        )  # fmt: skip

    def audits(self, value: str, column: str = "run_id") -> list[tuple[str, str, str]]:
        """Source, status and message of the loads of a run, or of another column's value."""
        with psycopg2.connect(self.known["warehouse_dsn"]) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT source, status, message FROM quality.load_audit WHERE {column} = %s", [value])
            return cursor.fetchall()

    def loaded(self, day: date) -> bool:
        rows = self.audits(day.isoformat(), "dt")
        if failed := [message for _, status, message in rows if status == "failed"]:
            sys.exit(f"the load of {day} has failed: {failed[0]}")
        return any(source == "trial" and status == "loaded" for source, status, _ in rows)

    def deliver(self, day: date) -> None:
        """One file through ingest, curation and load."""
        key = f"landing/box_office/mapping=canonical/trial-{day}.csv"
        self.s3.put_object(Bucket=self.known["buckets"]["raw"], Key=key, Body=file_of(day))
        run = f"trial-{day}-{int(time.time())}"
        self.airflow.trigger("ingest_concerts", run, {"as_of": day.isoformat()})
        until(lambda: self.loaded(day), f"the reports of {day} in the warehouse")
        print(f"{day}: loaded", flush=True)

    def idle(self) -> bool:
        return all(run["state"] in ("success", "failed") for dag in STEP for run in self.airflow.runs(dag))

    def backfill(self, first: date, last: date) -> list[dict[str, Any]]:
        """Runs of Airflow's backfill and those of load_warehouse that they have started, once all have ended."""
        before = {run["dag_run_id"] for dag in STEP for run in self.airflow.runs(dag)}
        body = {
            "dag_id": STEP[0], "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T23:59:59Z",
            "reprocess_behavior": "completed", "max_active_runs": 1, "run_backwards": False, "dag_run_conf": {},
        }  # fmt: skip
        self.airflow._call("POST", "backfills", json=body)
        days = (last - first).days + 1

        def ended() -> list[dict[str, Any]]:
            runs = [run for dag in STEP for run in self.airflow.runs(dag) if run["dag_run_id"] not in before]
            filled = [run for run in runs if run["dag_id"] == STEP[0]]
            loads = [run for run in runs if run["dag_id"] == STEP[1]]
            over = all(run["state"] in ("success", "failed") for run in runs)
            return runs if over and len(filled) == days and loads else []

        return until(lambda: ended() and self.idle() and ended(), f"the backfill of {first} to {last}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args()
    platform = Platform()
    last = datetime.now(UTC).date() - timedelta(days=1)
    days = [last - timedelta(days=number) for number in reversed(range(options.days))]
    for day in days:
        platform.deliver(day)
    until(platform.idle, "the end of the loads")

    before = checksums()
    runs = platform.backfill(days[0], days[-1])
    after = checksums()

    for dag in STEP:
        states = [run["state"] for run in runs if run["dag_id"] == dag]
        print(f"{dag}: {len(states)} runs, {states.count('success')} of them successful")
    compared = before.keys() - {OF_ITS_MOMENT}
    differing = sorted(table for table in compared if before[table] != after.get(table))
    if differing:
        sys.exit(f"these tables differ after the backfill: {', '.join(differing)}")
    if any(run["state"] != "success" for run in runs):
        sys.exit("a run of the backfill has failed: see the Airflow UI")
    print(f"{len(compared)} tables are the same after a backfill of {options.days} days")


if __name__ == "__main__":
    main()
