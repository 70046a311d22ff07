"""One alert for each DAG run that fails: which tasks, why, and where their logs are.

Two callbacks work together, for neither can do it alone. The DAG's runs once for each failed run, whatever has failed,
but in the DAG processor, where Airflow 3.0 tells it neither which task it was nor why, and lets it ask for no state and
no XCom. A task's runs where the task did, with its error, but not for a process that was killed. So a task leaves its
reason in an Airflow variable of the run, which the DAG's callback takes away and sends. A task that succeeds after all,
cleared by a person, takes its reason back. What any of them raises, Airflow logs: in the task's log, and in that of the
DAG processor.
"""

from __future__ import annotations

import logging
from typing import Any, TypedDict
from urllib.parse import quote

from concert_platform.notifications import send_alert
from concert_platform.partitions import run_slug

LONGEST_REASON = 2_000  # characters
MOST_REASONS = 8  # in one alert: the first seven, which have led to the others, and the newest
KILLED = "it was killed, or the machine that it ran on was lost"
NO_REASON = "No task gave a reason: it was killed, or never came to run. Airflow shows which one it was."

log = logging.getLogger(__name__)


class Reason(TypedDict):
    """Why a task has failed, in one line, and the address of its log."""

    task: str
    reason: str
    log: str


class Kept(TypedDict):
    """What the variable of a run holds: the first failures and the newest, and how many between them were left out."""

    reasons: list[Reason]
    left_out: int


def keep_reason(context: Any) -> None:
    """Leave for the run's alert why a task has failed for good: ``on_failure_callback`` of every task.

    Of two tasks that fail in the same moment, one may be lost; the alert is sent in any case.
    """
    ti, error = context["ti"], context.get("exception")
    if error is None and ti.try_number <= ti.max_tries:
        log.info("%s was lost in try %s: it is tried again", _name(ti), ti.try_number)
        return
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON] if error else KILLED
    key = _variable(ti.dag_id, ti.run_id)
    kept = _without(_kept(key), _name(ti))
    if len(kept["reasons"]) >= MOST_REASONS:
        del kept["reasons"][-1]
        kept["left_out"] += 1
    kept["reasons"].append({"task": _name(ti), "reason": reason, "log": _address(ti)})
    _keep(key, kept)


def take_back_reason(context: Any) -> None:
    """Forget why a task had failed that has succeeded now: ``on_success_callback`` of every task.

    A run that succeeds after all sends no alert, so that its variable would stay. The DAG's callback of success would
    cost a process for each run; this costs a request for each task that did not succeed in its first try.
    """
    from airflow.sdk import Variable

    ti = context["ti"]
    if ti.try_number <= 1:
        return
    key = _variable(ti.dag_id, ti.run_id)
    before = _kept(key)
    left = _without(before, _name(ti))
    if len(left["reasons"]) == len(before["reasons"]):
        return
    if left["reasons"]:
        _keep(key, left)
    else:
        Variable.delete(key)


def alert_on_failure(context: Any) -> None:
    """Send the one alert of a run that has failed: ``on_failure_callback`` of every DAG."""
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError

    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    key = _variable(dag_id, run_id)
    try:
        kept = _kept(key)
        told = [f"{one['task']}: {one['reason']}\n{one['log']}".strip() for one in kept["reasons"]]
    except (AirflowRuntimeError, ValueError, TypeError, KeyError) as error:
        log.warning("the reasons in variable %s cannot be read, so the alert goes without: %r", key, error)
        kept, told = {"reasons": [], "left_out": 0}, []
    if kept["left_out"]:
        told.insert(-1, f"{kept['left_out']} more failures are left out here: Airflow shows them.")
    state = f"Run {run_id} has failed ({context.get('reason') or 'no state'})."
    subject = f"Concert platform: {dag_id} failed"
    message = "\n".join([state, *(told or [NO_REASON]), _page(dag_id, run_id)]).strip()
    if send_alert(subject, message) is None:
        log.error("%s. Nobody was told:\n%s", subject, message)
    if told:
        Variable.delete(key)


def _variable(dag_id: str, run_id: str) -> str:
    return f"failure-{dag_id}-{run_slug(run_id)}"


def _kept(key: str) -> Kept:
    from airflow.sdk import Variable

    found = Variable.get(key, default={"reasons": [], "left_out": 0}, deserialize_json=True)
    return {"reasons": list(found["reasons"]), "left_out": int(found["left_out"])}


def _keep(key: str, kept: Kept) -> None:
    from airflow.sdk import Variable

    Variable.set(key, kept, description="Why a run fails, until it is told", serialize_json=True)


def _without(kept: Kept, task: str) -> Kept:
    return {**kept, "reasons": [one for one in kept["reasons"] if one["task"] != task]}


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
