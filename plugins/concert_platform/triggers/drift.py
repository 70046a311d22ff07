"""Let CloudFormation compare a stack with its template, and wait for the result."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from concert_platform.clients import client
from concert_platform.triggers.waiting import ERROR, TRANSIENT, WaitTrigger


class DriftDetectionTrigger(WaitTrigger):
    """Fire with the detection when it has ended, or with an `error` when it cannot be started.

    The trigger starts it, so that no killed worker can lose it between start and wait. A stack takes one detection at a
    time: one of somebody else that is under way, or of this trigger before its process was killed, is waited for, and a
    new one follows.

    :param stack: full name of the stack
    :param poll_interval: seconds between two looks
    """

    fields = ("stack", "poll_interval")

    def __init__(self, *, stack: str, poll_interval: float = 2.0, deadline: str | None = None) -> None:
        super().__init__(deadline=deadline)
        self.stack = stack
        self.poll_interval = poll_interval
        self._steps: Iterator[dict[str, Any] | None] | None = None

    @property
    def what(self) -> str:
        return f"drift detection of stack {self.stack}"

    async def look(self) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._look)

    def _look(self) -> dict[str, Any] | None:
        from concert_platform.cloudformation.drift import detect
        from concert_platform.cloudformation.errors import CloudFormationError, one_line
        from concert_platform.cloudformation.stacks import Stack

        if self._steps is None:
            self._steps = detect(Stack(client("cloudformation"), self.stack))
        try:
            return next(self._steps)
        except CloudFormationError as error:
            return {ERROR: one_line(f"drift of stack {self.stack} cannot be detected now: {error}")}
        except TRANSIENT:
            self._steps = None  # a generator that has raised is over
            raise
