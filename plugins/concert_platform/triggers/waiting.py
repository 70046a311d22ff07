"""What all our triggers share: they survive failed looks, have a deadline, and always end with an event.

An exception that leaves a trigger, and Airflow's own timeout of a deferral, replace what the task has noted for its
return by ``__fail__``. An event fails the try as well, and leaves the next one a clean start.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import repeat
from math import inf
from typing import Any, ClassVar

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from botocore.exceptions import BotoCoreError, ClientError

from concert_platform.clients import CALLER_REPEATS

ERROR = "error"  # key of an event that fails the try
LATE = "late"  # key of an event whose error is that the deadline has passed
TRANSIENT = (BotoCoreError, ClientError, AirflowRuntimeError)
# Codes of a ClientError that no later look mends; the permission is missing, or the call is wrong.
LASTING = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ValidationError", "ValidationException")
# Seconds. Ten looks take five minutes when each is answered with an error, and ten when AWS answers none of them.
PAUSES_AFTER_FAILURES = (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0)


class WaitTrigger(BaseTrigger, ABC):
    """Look at something until it has ended; fire once, with what was found or with an ``error`` of one line.

    A subclass names its arguments in ``fields``, and says what it waits for in ``what``. Looks are short, and boto3's
    calls are made in threads of their own.

    :param deadline: time in UTC, in ISO form, after which the wait ends with an error and the work is stopped; None
        waits for ever. The operator's mixin sets it
    """

    fields: ClassVar[tuple[str, ...]] = ()
    poll_interval: float

    def __init__(self, *, deadline: str | None = None) -> None:
        super().__init__()
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {name: getattr(self, name) for name in (*self.fields, "deadline")}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    @property
    @abstractmethod
    def what(self) -> str:
        """What is waited for, as the subject of a line."""

    @abstractmethod
    async def look(self) -> dict[str, Any] | None:
        """Payload of the event; None while there is nothing to tell."""

    def stop(self) -> None:
        """Stop the work of a task that waits no more; by default it goes on."""

    def pauses(self) -> Iterator[float]:
        """Seconds between two looks."""
        return repeat(self.poll_interval)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        CALLER_REPEATS.set(True)
        try:
            event = await self._wait()
        except asyncio.CancelledError:
            # on_kill is not called on a deferred task. A triggerer that stops cancels its triggers too, but then the
            # task stays deferred and is taken over. It cancels again each second until the trigger has ended, which
            # must not cut this short.
            await _ended(asyncio.ensure_future(self._stop_unless_deferred()))
            raise
        yield TriggerEvent(event)

    async def _wait(self) -> dict[str, Any]:
        pauses = self.pauses()
        try:
            while (event := await self._patiently(self.look, self._seconds_left)) is None:
                if (left := self._seconds_left()) <= 0:
                    return await self._late()
                await asyncio.sleep(min(next(pauses), left))
        except Exception as error:  # noqa: BLE001 - whatever it was, the try ends with an event
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            if self._seconds_left() <= 0:
                return await self._late(f"; the last look: {reason}")
            return {ERROR: f"{self.what} cannot be waited for: {reason}; the next try looks again"}
        return event

    async def _late(self, more: str = "") -> dict[str, Any]:
        await self._stop()
        return {ERROR: f"{self.what} was not through by {self.deadline}, the longest wait of a try{more}", LATE: True}

    async def _patiently[Found](
        self, call: Callable[[], Awaitable[Found]], seconds_left: Callable[[], float] = lambda: inf
    ) -> Found:
        for pause in PAUSES_AFTER_FAILURES:
            try:
                return await call()
            except TRANSIENT as error:
                left = seconds_left()
                if left <= 0 or (isinstance(error, ClientError) and error.response["Error"].get("Code") in LASTING):
                    raise
                self.log.warning("%s: %s; again in %d s", self.what, error, min(pause, left))
            await asyncio.sleep(min(pause, left))
        return await call()

    async def _stop_unless_deferred(self) -> None:
        if not await ask_airflow(self.is_still_deferred):
            await self._stop()

    async def _stop(self) -> None:
        try:
            await self._patiently(lambda: asyncio.to_thread(self.stop))
        except Exception as error:  # noqa: BLE001 - the task's end does not depend on it
            self.log.error("%s was not stopped, look at it yourself: %s", self.what, error)

    def _seconds_left(self) -> float:
        if self.deadline is None:
            return inf
        return (datetime.fromisoformat(self.deadline) - datetime.now(UTC)).total_seconds()

    def is_still_deferred(self) -> bool:
        """Whether the task goes on waiting; true as well when Airflow cannot be asked any more."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        ti: Any = self.task_instance
        if ti is None:
            return True
        try:
            states = RuntimeTaskInstance.get_task_states(
                dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
            )
        except Exception:  # noqa: BLE001 - a triggerer that shuts down has closed its connection, in several ways
            return True
        return "deferred" in states.get(ti.run_id, {}).values()


async def ask_airflow[Answer](question: Callable[[], Answer]) -> Answer:
    """Put a question to Airflow from a trigger; a cancel takes effect once it is answered.

    All triggers of a process share one connection to Airflow. An exchange that a cancel breaks off leaves its answer to
    whoever asks next, which ends the triggerer.

    :param question: calls Airflow's Task SDK
    """
    # The connection belongs to the event loop, which only threads of sync_to_async know.
    asked = asyncio.ensure_future(sync_to_async(question)())
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        await _ended(asked)
        raise


async def _ended(task: asyncio.Future[Any]) -> None:
    """Wait for the end of a task, whatever it is, and let no cancel cut that short."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # is thereby seen, and not logged when the task is forgotten
