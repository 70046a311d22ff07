"""Reports of drift and teardown: a table for people, JSON for machines, both in the environment's bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from concert_platform.cloudformation.stateful import Clients

FOLDER = "reports"
LONGEST_CELL = 60  # characters in the text; the JSON has all of it


def save(clients: Clients, bucket: str, path: str, document: Mapping[str, Any], text: str) -> str:
    """Write `reports/<path>.json` and, for people, `.txt` beside it; returns the URI of the first.

    The same path again replaces both, so that a retry leaves one report.
    """
    body = json.dumps(document, indent=2, sort_keys=True) + "\n"
    for suffix, content, kind in (("json", body, "application/json"), ("txt", text + "\n", "text/plain")):
        clients("s3").put_object(
            Bucket=bucket, Key=f"{FOLDER}/{path}.{suffix}", Body=content.encode(), ContentType=f"{kind}; charset=utf-8"
        )
    return f"s3://{bucket}/{FOLDER}/{path}.json"
