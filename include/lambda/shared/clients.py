"""AWS clients, made at the first use and kept while the function's sandbox lives."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

# Shorter than any function's timeout, so that a caller gets an answer and a batch its failure.
CONFIG = Config(connect_timeout=2, read_timeout=4, retries={"mode": "standard", "total_max_attempts": 2})


@cache
def client(service: str) -> Any:
    return boto3.client(service, config=CONFIG)
