"""Wait for a stack's operation to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class StackIdleTrigger(BaseTrigger):
    """Fire when CloudFormation has finished with a stack, well or not.

    The operation is not cancelled when the task is killed: a half-done update would have to be rolled back, and the
    task's next try goes on with it.

    :param stack: full name or id of the stack
    :param longest_pause: seconds between two looks at an operation that takes long; the first ones follow faster
    """

    def __init__(self, *, stack: str, longest_pause: float = 5.0) -> None:
        super().__init__()
        self.stack = stack
        self.longest_pause = longest_pause

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"stack": self.stack, "longest_pause": self.longest_pause},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import boto3

        from concert_platform.cloudformation.stacks import Stack, is_busy, pauses

        stack = Stack(await sync_to_async(boto3.client)("cloudformation"), self.stack)
        for pause in pauses(self.longest_pause):
            status = await sync_to_async(stack.status)()
            if not is_busy(status):
                yield TriggerEvent({"stack": self.stack, "status": status})
                return
            await asyncio.sleep(pause)
