"""Wait for a stack's operation to end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from concert_platform.clients import client
from concert_platform.triggers.waiting import WaitTrigger


class StackIdleTrigger(WaitTrigger):
    """Fire when CloudFormation has finished with a stack, well or not.

    The operation is not cancelled when the task is killed: a half-done update would have to be rolled back, and the
    task's next try goes on with it.

    :param stack: full name or id of the stack
    :param longest_pause: seconds between two looks at an operation that takes long; the first ones follow faster
    """

    fields = ("stack", "longest_pause")

    def __init__(self, *, stack: str, longest_pause: float = 5.0, deadline: str | None = None) -> None:
        super().__init__(deadline=deadline)
        self.stack = stack
        self.longest_pause = longest_pause

    @property
    def what(self) -> str:
        return f"stack {self.stack}"

    def pauses(self) -> Iterator[float]:
        from concert_platform.cloudformation.stacks import pauses

        return pauses(self.longest_pause)

    async def look(self) -> dict[str, Any] | None:
        return await asyncio.to_thread(self._look)

    def _look(self) -> dict[str, Any] | None:
        from concert_platform.cloudformation.stacks import Stack, is_busy

        status = Stack(client("cloudformation"), self.stack).status()
        return None if is_busy(status) else {"stack": self.stack, "status": status}
