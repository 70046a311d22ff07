"""Wait for a drift detection to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class DriftDetectionTrigger(BaseTrigger):
    """Fire with the detection when it has ended; a detection cannot be stopped, and a second one waits for it.

    :param detection_id: result of DetectStackDrift
    :param poll_interval: seconds between two looks
    """

    def __init__(self, *, detection_id: str, poll_interval: float = 2.0) -> None:
        super().__init__()
        self.detection_id = detection_id
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"detection_id": self.detection_id, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import boto3

        from concert_platform.cloudformation.drift import FIELDS, IN_PROGRESS, detection_status

        client = await sync_to_async(boto3.client)("cloudformation")
        while True:
            detection = await sync_to_async(detection_status)(client, self.detection_id)
            if detection["DetectionStatus"] != IN_PROGRESS:
                break
            await asyncio.sleep(self.poll_interval)
        yield TriggerEvent({name: detection[name] for name in FIELDS if name in detection})
