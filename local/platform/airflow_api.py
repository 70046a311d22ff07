"""Airflow's REST API (v2), as far as the launcher needs it."""

from __future__ import annotations

import time
from typing import Any

import requests
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from local.platform.state import PlatformError

PAGE = 100
ENDED = ("success", "failed")


class AirflowApi:
    """A signed-in client.

    :param url: address of the API server
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._signed_in_at = float("-inf")

    @retry(
        retry=retry_if_exception_type(requests.ConnectionError),
        stop=stop_after_delay(60),
        wait=wait_fixed(1),
        reraise=True,
    )
    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if time.monotonic() - self._signed_in_at > 3600:
            answer = self._session.post(f"{self._url}/auth/token", json=self._login, timeout=30)
            answer.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            self._signed_in_at = time.monotonic()
        answer = self._session.request(method, f"{self._url}/api/v2/{path}", timeout=30, **arguments)
        if answer.status_code >= 400:
            raise PlatformError(f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def dag_ids(self) -> set[str]:
        return {dag["dag_id"] for dag in self._call("GET", "dags", params={"limit": PAGE})["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Last line of the error of each DAG file that cannot be imported."""
        errors = self._call("GET", "importErrors", params={"limit": PAGE})["import_errors"]
        return {error["filename"]: error["stack_trace"].strip().splitlines()[-1] for error in errors}

    def trigger(self, dag_id: str, run_id: str, conf: dict[str, Any]) -> None:
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self._call("POST", f"dags/{dag_id}/dagRuns", json=body)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Runs of a DAG, newest first."""
        answer = self._call("GET", f"dags/{dag_id}/dagRuns", params={"limit": PAGE, "order_by": "-id"})
        return list(answer["dag_runs"])

    def runs_since(self, moment: str) -> list[dict[str, Any]]:
        """Runs of all DAGs that were queued since a moment (ISO 8601), oldest first."""
        parameters = {"limit": PAGE, "order_by": "id", "run_after_gte": moment}
        return list(self._call("GET", "dags/~/dagRuns", params=parameters)["dag_runs"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        answer = self._call("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": PAGE})
        return list(answer["task_instances"])

    def last_error(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        """The last error that a task instance has logged."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        answer = self._call(
            "GET", path, params={"map_index": task["map_index"]}, headers={"Accept": "application/json"}
        )
        lines = [line for line in answer.get("content", []) if isinstance(line, dict) and line.get("level") == "error"]
        for line in reversed(lines):
            for detail in reversed(line.get("error_detail") or []):
                return f"{detail['exc_type']}: {detail['exc_value']}"
        return str(lines[-1]["event"]) if lines else "no error in its log"
