"""Which try of a task is asked for new work. No Airflow import."""

from __future__ import annotations

from typing import Any


def earlier_tries(ti: Any, retries: int | None) -> int:
    """Tries of a task before it was last cleared: the same in its retries, another number when it is cleared again.

    Clearing asks for the work to be done again, so that the number stands in the names of what a task makes.

    :param retries: of the task, as its operator says
    """
    return max(0, ti.max_tries - (retries or 0))
