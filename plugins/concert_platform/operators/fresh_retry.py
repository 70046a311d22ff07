"""Retries of deferred tasks that begin anew.

Airflow 3.0 keeps the method and the event with which a deferred task was resumed when that task fails: a retry is
resumed with the event of the attempt that has failed, and fails again at once. Airflow itself clears both only when a
task is cleared by hand.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import get_current_context

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

ATTEMPT = "deferred_in_attempt"


class FreshRetryMixin:
    """Put before an operator class: a retry after a deferral runs ``execute`` instead of using the old event."""

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
    ) -> NoReturn:
        noted = {**(kwargs or {}), **_attempt()}
        super().defer(  # type: ignore[misc]
            trigger=trigger, method_name=method_name, kwargs=noted, timeout=timeout
        )
        raise AssertionError("defer() has raised TaskDeferred")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        kwargs = dict(next_kwargs or {})
        attempt = kwargs.pop(ATTEMPT, None)
        if attempt is not None and attempt != context["ti"].try_number:
            return self.execute(context)  # type: ignore[attr-defined]
        return super().resume_execution(next_method, kwargs, context)  # type: ignore[misc]


def _attempt() -> dict[str, int]:
    """Number of the attempt that defers; outside a task's run there is none."""
    try:
        return {ATTEMPT: get_current_context()["ti"].try_number}
    except RuntimeError:
        return {}
