"""boto3 clients for code that runs in several threads. No Airflow import."""

from __future__ import annotations

from contextvars import ContextVar
from threading import Lock
from typing import Any

# True where the caller repeats a call by itself, as triggers do: a client that tried eight times for up to two minutes
# each would make ten looks last for hours. Threads of asyncio.to_thread inherit it.
CALLER_REPEATS: ContextVar[bool] = ContextVar("caller_repeats", default=False)
TIMES = {"connect_timeout": 3, "read_timeout": 10}  # seconds of a try of such a client
TRIES = 2
_MAKING = Lock()


def client(service: str) -> Any:
    """A client; clients are safe in threads, the default session that makes them is not.

    Its patience is that of the environment, or `TIMES` and `TRIES` where the caller repeats.
    """
    import boto3
    from botocore.config import Config

    config = Config(**TIMES, retries={"mode": "standard", "total_max_attempts": TRIES})
    with _MAKING:
        return boto3.client(service, **({"config": config} if CALLER_REPEATS.get() else {}))
