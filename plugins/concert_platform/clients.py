"""boto3 clients for code that runs in several threads. No Airflow import."""

from __future__ import annotations

from contextvars import ContextVar
from threading import Lock
from typing import Any

# True where the caller repeats a call by itself, as triggers do: a client that tried eight times for up to two minutes
# each would make ten looks last for hours. Threads of asyncio.to_thread inherit it.
CALLER_REPEATS: ContextVar[bool] = ContextVar("caller_repeats", default=False)
CONNECT_TIMEOUT, READ_TIMEOUT = 3, 10  # seconds of a try of such a client
TRIES = 2
_MAKING = Lock()


def client(service: str) -> Any:
    """A client with the patience of the environment, or an impatient one where the caller repeats.

    Clients are safe in threads, the default session that makes them is not.
    """
    import boto3

    if CALLER_REPEATS.get():
        return impatient(service)
    with _MAKING:
        return boto3.client(service)


def impatient(service: str, read_timeout: float = READ_TIMEOUT) -> Any:
    """A client that gives up after seconds, for a caller that repeats or must end soon."""
    import boto3
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": TRIES}
    config = Config(connect_timeout=CONNECT_TIMEOUT, read_timeout=read_timeout, retries=retries)
    with _MAKING:
        return boto3.client(service, config=config)
