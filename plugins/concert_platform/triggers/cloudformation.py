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

    :param stack: full name of the stack
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, stack: str, poll_interval: float = 1.0) -> None:
        super().__init__()
        self.stack = stack
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"stack": self.stack, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import boto3

        from concert_platform.cloudformation import Stack
        from concert_platform.cloudformation.stacks import is_busy

        stack = Stack(await sync_to_async(boto3.client)("cloudformation"), self.stack)
        while is_busy(status := await sync_to_async(stack.status)()):
            await asyncio.sleep(self.poll_interval)
        yield TriggerEvent({"stack": self.stack, "status": status})
