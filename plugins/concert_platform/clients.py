"""boto3 clients for code that runs in several threads. No Airflow import."""

from __future__ import annotations

from threading import Lock
from typing import Any

_MAKING = Lock()


def client(service: str) -> Any:
    """A client; clients are safe in threads, the default session that makes them is not."""
    import boto3

    with _MAKING:
        return boto3.client(service)
