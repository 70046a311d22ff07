"""`make run`: trigger run_platform, tell what happens while it works, and say why when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.bootstrap import ROOT
from local.platform import lifecycle, processes, services
from local.platform.airflow_api import ENDED, AirflowApi
from local.platform.state import LOGS, PlatformError

MAIN_DAG = "run_platform"
CHAIN = (
    "run_platform",
    "deploy_infrastructure",
    "ingest_concerts",
    "curate_concerts",
    "load_warehouse",
    "retrain_models",
)
POLL_SECONDS = 1.0
QUIET_SECONDS = 20.0  # a sign of life at least so often
PARSE_SECONDS = 600.0  # a busy machine took 140 s for what an idle one does in 10
MAX_RESTARTS = 3

Say = Callable[[str], None]


@dataclass
class JobOutcome:
    """How a run of the main job ended."""

    run_id: str
    started_at: datetime
    succeeded: bool
    runs: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class MainJob:
    """One run of run_platform, watched to its end."""

    def __init__(self, api: AirflowApi, ports: dict[str, int], say: Say) -> None:
        self._api = api
        self._ports = ports
        self._say = say
        self._seen: dict[tuple[str, str], str] = {}
        self._spoke_at = time.monotonic()
        self._restarts = 0

    def run(self) -> JobOutcome:
        """Run the main job, or go on with one that an interrupted `make run` has left.

        :raises PlatformError: when the DAGs cannot be read, or a service dies again and again
        """
        self._wait_for_dags()
        left = next((run for run in self._api.runs(MAIN_DAG) if run["state"] not in ENDED), None)
        if left is not None:
            run_id = left["dag_run_id"]
            started = datetime.fromisoformat(left["run_after"])
            self._tell(f"going on with {run_id}, which was under way")
        else:
            started = datetime.now(UTC)
            run_id = f"make_run__{started:%Y-%m-%dT%H-%M-%S}"
            as_of = (ROOT / "samples" / "as_of.txt").read_text().strip()
            self._api.trigger(MAIN_DAG, run_id, {"as_of": as_of})
        return self._watch(run_id, started)

    def _wait_for_dags(self) -> None:
        """All DAGs of the chain are known to the scheduler and none is broken."""
        deadline = time.monotonic() + PARSE_SECONDS
        while missing := set(CHAIN) - self._api.dag_ids():
            errors = self._api.import_errors()
            if errors:
                name, reason = next(iter(errors.items()))
                raise PlatformError(f"DAG file {name} cannot be imported: {reason}")
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"Airflow does not know {', '.join(sorted(missing))} after {PARSE_SECONDS:.0f} s; "
                    f"log: {LOGS / 'airflow-dag-processor.log'}"
                )
            self._keep_services_alive()
            time.sleep(POLL_SECONDS)

    def _watch(self, run_id: str, started: datetime) -> JobOutcome:
        since = started.isoformat().replace("+00:00", "Z")
        while True:
            runs = self._api.runs_since(since)
            self._report(runs)
            main = next((run for run in runs if run["dag_run_id"] == run_id and run["dag_id"] == MAIN_DAG), None)
            if main is not None and main["state"] in ENDED and all(run["state"] in ENDED for run in runs):
                break
            self._keep_services_alive()
            time.sleep(POLL_SECONDS)
        reasons = [] if main["state"] == "success" else self._reasons(runs)
        return JobOutcome(run_id, started, main["state"] == "success", runs, reasons)

    def _report(self, runs: list[dict[str, Any]]) -> None:
        """A line for each change of a run's state, and a sign of life while nothing changes."""
        for run in runs:
            key = (run["dag_id"], run["dag_run_id"])
            if self._seen.get(key) != run["state"]:
                self._seen[key] = run["state"]
                if run["state"] in ("running", *ENDED):
                    took = f" after {seconds(run):.0f} s" if run["state"] in ENDED else ""
                    self._tell(f"{run['dag_id']}: {run['state']}{took}")
        if time.monotonic() - self._spoke_at > QUIET_SECONDS:
            self._tell("; ".join(self._at_work(runs)) or "waiting for the scheduler")

    def _at_work(self, runs: list[dict[str, Any]]) -> list[str]:
        found = []
        for run in runs:
            if run["state"] == "running" and run["dag_id"] != MAIN_DAG:
                tasks = self._api.tasks(run["dag_id"], run["dag_run_id"])
                active = [task["task_id"] for task in tasks if task["state"] in ("running", "deferred", "up_for_retry")]
                done = sum(task["state"] in ("success", "skipped") for task in tasks)
                found.append(f"{run['dag_id']}: {', '.join(active) or 'between tasks'} ({done} of {len(tasks)} done)")
        return found

    def _reasons(self, runs: list[dict[str, Any]]) -> list[str]:
        """Why the failed tasks have failed, the first one first; what failed only because of others is left out."""
        found = []
        failed = [run for run in runs if run["state"] == "failed"]
        # run_platform's own failure repeats that of the DAG that it has started.
        for run in [run for run in failed if run["dag_id"] != MAIN_DAG] or failed:
            for task in self._api.tasks(run["dag_id"], run["dag_run_id"]):
                if task["state"] == "failed":
                    error = self._api.last_error(run["dag_id"], run["dag_run_id"], task)
                    log = LOGS / "airflow" / f"dag_id={run['dag_id']}" / f"run_id={run['dag_run_id']}"
                    found.append(
                        f"{run['dag_id']}.{task['task_id']}: {error} (log: {log / ('task_id=' + task['task_id'])})"
                    )
        return found

    def _keep_services_alive(self) -> None:
        """Start again what has died; three times at most.

        :raises PlatformError: when a service dies more often
        """
        alive = processes.running()
        dead = [name for name in lifecycle.START_ORDER if name not in alive]
        if not dead:
            return
        if self._restarts >= MAX_RESTARTS:
            raise PlatformError(f"{', '.join(dead)} ended again after {MAX_RESTARTS} restarts; logs: {LOGS}")
        self._restarts += 1
        self._tell(f"{', '.join(dead)} ended unexpectedly: starting it again (logs: {LOGS})")
        lifecycle.up(self._tell)

    def _tell(self, text: str) -> None:
        self._spoke_at = time.monotonic()
        self._say(text)


def seconds(run: dict[str, Any]) -> float:
    """Wall time of a DAG run."""
    if not run.get("start_date") or not run.get("end_date"):
        return 0.0
    return (datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["start_date"])).total_seconds()


def airflow_api(ports: dict[str, int]) -> AirflowApi:
    from local.platform.state import platform_secrets

    return AirflowApi(services.url(ports["airflow"]), services.AIRFLOW_USER, platform_secrets()["airflow_password"])
