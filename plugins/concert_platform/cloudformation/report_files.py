"""Reports of drift and teardown: a table for people, JSON for machines, both in the environment's bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from concert_platform.cloudformation.stateful import Clients

FOLDER = "reports"
LONGEST_CELL = 60  # characters


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Lines of a table, the header first; what is too long for a cell is cut, since the JSON has all of it."""
    cells = [[column.replace("_", " ").upper() for column in columns]]
    cells += [[_cut(str(row[column])) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 3]}..."


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
