"""Wait for the run of another DAG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from concert_platform.triggers.waiting import WaitTrigger, ask_airflow


class DagRunTrigger(WaitTrigger):
    """Fire when a DAG run has reached one of some states.

    :param dag_id: of the other DAG
    :param run_id: of its run, which goes on when the task that waits is killed
    :param states: DAG run states that end the wait
    :param poll_interval: seconds between two looks
    """

    fields = ("dag_id", "run_id", "states", "poll_interval")

    def __init__(
        self,
        *,
        dag_id: str,
        run_id: str,
        states: Sequence[str],
        poll_interval: float = 1.0,
        deadline: str | None = None,
    ) -> None:
        super().__init__(deadline=deadline)
        self.dag_id = dag_id
        self.run_id = run_id
        self.states = list(states)
        self.poll_interval = poll_interval

    @property
    def what(self) -> str:
        return f"{self.dag_id} run {self.run_id}"

    async def look(self) -> dict[str, Any] | None:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        state = await ask_airflow(lambda: RuntimeTaskInstance.get_dagrun_state(dag_id=self.dag_id, run_id=self.run_id))
        reached = next((one for one in self.states if one == state), None)  # Airflow's is an enum's member
        return {"run_id": self.run_id, "state": reached} if reached else None
