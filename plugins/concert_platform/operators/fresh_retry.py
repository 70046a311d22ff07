"""Deferrals with a deadline, and retries of deferred tasks that begin anew.

Airflow 3.0 keeps the method and the event with which a deferred task was resumed when that task fails: a retry is
resumed with the event of the attempt that has failed, and fails again at once. Airflow itself clears both only when a
task is cleared by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import get_current_context
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

from concert_platform.compat import AirflowException, AirflowFailException
from concert_platform.dag_defaults import EXECUTION_TIMEOUT
from concert_platform.load_outcome import ERROR_KEY
from concert_platform.triggers.waiting import ERROR, LATE, WaitTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

ATTEMPT = "deferred_in_attempt"  # noted among the kwargs of the return, and as XCom, which survives a trigger's failure
# Airflow's own timeout is for a triggerer that is gone: later than a trigger's deadline and its last looks.
GRACE = timedelta(minutes=15)


class WaitFailedError(AirflowException):
    """What a task waited for could not be looked at, or was not through in time."""


class FreshRetryMixin:
    """Put before an operator class: its waits have a deadline, and a retry after a failed one begins anew.

    A wait ends at the latest after ``timeout``, or else after the task's ``execution_timeout``, which Airflow does not
    apply to a deferred task. One that ends with an ``error`` fails the try; the XCom ``error`` is its reason as one
    line. A retry after a deferral runs ``execute`` instead of using what the attempt before was resumed with.

    ``only_waits`` is for an operator that waits for the work of others: after its deadline there is no further try,
    which could only wait as long again.
    """

    only_waits: ClassVar[bool] = False
    # Airflow clears the XComs of a try that begins with execute, but not of one that begins with a return.
    stale_xcoms: ClassVar[tuple[str, ...]] = (ERROR_KEY,)
    execution_timeout: timedelta | None

    def defer(
        self,
        *,
        trigger: BaseTrigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | int | float | None = None,
    ) -> NoReturn:
        longest = timeout or self.execution_timeout or EXECUTION_TIMEOUT
        limit = longest if isinstance(longest, timedelta) else timedelta(seconds=longest)
        if isinstance(trigger, WaitTrigger):
            trigger.deadline = (datetime.now(UTC) + limit).isoformat(timespec="seconds")
            limit += GRACE
        noted = {**(kwargs or {}), **_note_attempt()}
        super().defer(  # type: ignore[misc]
            trigger=trigger, method_name=method_name, kwargs=noted, timeout=limit
        )
        raise AssertionError("defer() has raised TaskDeferred")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        ti: Any = context["ti"]
        kwargs = dict(next_kwargs or {})
        attempt = kwargs.pop(ATTEMPT, None)
        if next_method == TRIGGER_FAIL_REPR:  # Airflow has replaced the kwargs
            attempt = ti.xcom_pull(key=ATTEMPT, map_indexes=ti.map_index)
        if attempt is not None and attempt != ti.try_number:
            for key in self.stale_xcoms:
                ti.xcom_push(key=key, value="")  # of None, Airflow's client sends nothing, which the server refuses
            return self.execute(context)  # type: ignore[attr-defined]
        event = kwargs.get("event")
        if isinstance(event, Mapping) and ERROR in event:
            ti.xcom_push(key=ERROR_KEY, value=event[ERROR])
            if self.only_waits and event.get(LATE):
                raise AirflowFailException(event[ERROR])
            raise WaitFailedError(event[ERROR])
        return super().resume_execution(next_method, kwargs, context)  # type: ignore[misc]


def _note_attempt() -> dict[str, int]:
    """Note the number of the attempt that defers; outside a task's run there is none."""
    try:
        ti: Any = get_current_context()["ti"]
    except RuntimeError:
        return {}
    ti.xcom_push(key=ATTEMPT, value=ti.try_number)
    return {ATTEMPT: ti.try_number}
