"""One alert for each DAG run that fails: which tasks, why, and where their logs are.

Two callbacks work together, for neither can do it alone. The DAG's runs once for each failed run, whatever has failed,
but in the DAG processor, where Airflow 3.0 tells it neither which task it was nor why, and lets it ask for no state and
no XCom. A task's runs where the task did, with its error, but not for a process that was killed. So a task leaves its
reason in an Airflow variable of the run, which the DAG's callback takes away and sends. What either of them raises,
Airflow logs: in the task's log, and in that of the DAG processor.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from concert_platform.notifications import send_alert
from concert_platform.partitions import run_slug

LONGEST_REASON = 2_000  # characters
MOST_REASONS = 8  # in one alert
KILLED = "it was killed, or the machine that it ran on was lost"
NO_REASON = "No task gave a reason: it was killed, or never came to run. Airflow shows which one it was."

log = logging.getLogger(__name__)


def keep_reason(context: Any) -> None:
    """Leave for the run's alert why a task has failed for good: ``on_failure_callback`` of every task.

    Of two tasks that fail in the same moment, one may be lost; the alert is sent in any case.
    """
    from airflow.sdk import Variable

    ti, error = context["ti"], context.get("exception")
    if error is None and ti.try_number <= ti.max_tries:
        log.info("%s was lost in try %s: it is tried again", _name(ti), ti.try_number)
        return
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON] if error else KILLED
    key = _variable(ti.dag_id, ti.run_id)
    kept = [*_reasons(key), {"task": _name(ti), "reason": reason, "log": _address(ti)}]
    Variable.set(key, kept[-MOST_REASONS:], description="Why a run fails, until it is told", serialize_json=True)


def alert_on_failure(context: Any) -> None:
    """Send the one alert of a run that has failed: ``on_failure_callback`` of every DAG."""
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError

    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    key = _variable(dag_id, run_id)
    try:
        reasons = _reasons(key)
    except (AirflowRuntimeError, ValueError) as error:
        log.warning("the reasons in variable %s cannot be read, so the alert goes without: %s", key, error)
        reasons = []
    told = [f"{one['task']}: {one['reason']}\n{one['log']}".strip() for one in reasons] or [NO_REASON]
    state = f"Run {run_id} has failed ({context.get('reason') or 'no state'})."
    send_alert(f"Concert platform: {dag_id} failed", "\n".join([state, *told, _page(dag_id, run_id)]).strip())
    if reasons:
        Variable.delete(key)


def _variable(dag_id: str, run_id: str) -> str:
    return f"failure-{dag_id}-{run_slug(run_id)}"


def _reasons(key: str) -> list[dict[str, str]]:
    from airflow.sdk import Variable

    return list(Variable.get(key, default=[], deserialize_json=True))


def _name(ti: Any) -> str:
    return ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id} [{ti.map_index}]"


def _address(ti: Any) -> str:
    mapped = f"/mapped/{ti.map_index}" if ti.map_index is not None and ti.map_index >= 0 else ""
    page = _page(ti.dag_id, ti.run_id)
    return f"{page}/tasks/{ti.task_id}{mapped}?try_number={ti.try_number}" if page else ""


def _page(dag_id: str, run_id: str) -> str:
    """Address of a run; empty where Airflow does not know its own."""
    from airflow.configuration import conf

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/dags/{dag_id}/runs/{quote(run_id)}" if base else ""
