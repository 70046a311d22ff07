"""What has become of each partition of a run of load_warehouse: one that fails neither stops nor blames another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from concert_platform.partitions import Partition

LOAD_TASK = "load_partition"  # mapped over the loads
STREAM_TASK = "publish_concert_artists"  # for the stream alone: no partition is worse for its failure
ERROR_KEY = "error"  # XCom of a failed task: its reason as one line


def loaded(ti: Any, loads: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The loads whose transaction went through."""
    states = _states(ti)
    return [load for index, load in enumerate(loads) if states.get(f"{LOAD_TASK}_{index}") == "success"]


def failures(ti: Any, loads: Sequence[Mapping[str, Any]] | None, own: Iterable[Partition]) -> dict[Partition, str]:
    """Partitions to record as failed, each with the reason that concerns it; empty when no task of theirs has failed.

    A failed load concerns its partition alone. Any other failed task concerns every partition that has no failure of
    its own: before the loads are known, those that the run was started for.

    :param loads: what list_loads gave, in the order of the mapped task; None when it gave nothing
    """
    failed = sorted(name for name, state in _states(ti).items() if state == "failed")
    found: dict[Partition, str] = {}
    for index, load in enumerate(loads or []):
        if f"{LOAD_TASK}_{index}" in failed:
            found[_partition(load)] = f"load_warehouse: {LOAD_TASK} failed: {_reason(ti, LOAD_TASK, index)}"
    common = [name for name in failed if name != STREAM_TASK and not name.startswith(f"{LOAD_TASK}_")]
    if common:
        reasons = "; ".join(f"{name} failed: {_reason(ti, name, -1)}" for name in common)
        after = "the rows are in core, but " if loads and loaded(ti, loads) else ""
        for partition in [_partition(load) for load in loads] if loads else own:
            found.setdefault(partition, f"load_warehouse: {after}{reasons}")
    return found


def stream_failure(ti: Any) -> str | None:
    """Why the stream's function does not know of what was loaded; None when the task has not failed."""
    failed = _states(ti).get(STREAM_TASK) == "failed"
    return f"load_warehouse: {STREAM_TASK} failed: {_reason(ti, STREAM_TASK, -1)}" if failed else None


def _states(ti: Any) -> dict[str, str]:
    """State of each task of the run; a mapped one is called ``<task id>_<map index>``."""
    return ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})


def _partition(load: Mapping[str, Any]) -> Partition:
    return Partition(load["dt"], load["run_id"])


def _reason(ti: Any, task_id: str, map_index: int) -> str:
    return ti.xcom_pull(task_ids=task_id, map_indexes=map_index, key=ERROR_KEY) or "its log has the reason"
