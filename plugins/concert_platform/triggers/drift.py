"""Let CloudFormation compare a stack with its template, and wait for the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class DriftDetectionTrigger(BaseTrigger):
    """Fire with the detection when it has ended, or with an `error` when it cannot be started.

    The trigger starts it, so that no killed worker can lose it between start and wait. A stack takes one detection at a
    time: one of somebody else that is under way, or of this trigger before its process was killed, is waited for, and a
    new one follows.

    :param stack: full name of the stack
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, stack: str, poll_interval: float = 2.0) -> None:
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
        from botocore.exceptions import ClientError

        from concert_platform.cloudformation.drift import detect
        from concert_platform.cloudformation.errors import CloudFormationError, one_line
        from concert_platform.cloudformation.stacks import Stack

        stack = Stack(await sync_to_async(boto3.client)("cloudformation"), self.stack)
        steps = detect(stack)
        try:
            while (event := await sync_to_async(next)(steps)) is None:
                await asyncio.sleep(self.poll_interval)
        except (CloudFormationError, ClientError) as error:
            event = {"error": one_line(f"drift of stack {self.stack} cannot be detected now: {error}")}
        yield TriggerEvent(event)
