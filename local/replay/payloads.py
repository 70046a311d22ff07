"""The payloads that a samples folder's api_payloads/manifest.csv lists (columns file, api, endpoint, http_status)."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class PayloadError(RuntimeError):
    """The manifest or one of its files cannot be read."""


@dataclass(frozen=True)
class Payload:
    """One recorded answer. ``path`` is that of the endpoint, without method and query, such as /discovery/v2/events."""

    file: str
    api: str
    path: str
    status: int
    body: Any


def load_payloads(samples: Path) -> list[Payload]:
    """Read all payloads in the manifest's order.

    :raises PayloadError: naming the file that is missing or malformed
    """
    folder = samples / "api_payloads"
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(encoding="utf-8", newline="") as stream:
            return [_load(folder, row) for row in csv.DictReader(stream)]
    except OSError as error:
        raise PayloadError(
            f"{error.filename} cannot be read ({error.strerror}): run samples/build_samples.py"
        ) from None
    except (KeyError, ValueError) as error:
        raise PayloadError(f"{manifest} cannot be used: {error!r}") from None


def _load(folder: Path, row: dict[str, str]) -> Payload:
    path = folder / row["file"]
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PayloadError(f"{path} holds no JSON: {error}") from None
    # A recording may come with its status and headers around the body.
    wrapped = isinstance(document, dict) and {"status", "body"} <= document.keys()
    endpoint = row["endpoint"].split()[-1].split("?")[0].removesuffix(".json")
    body = document["body"] if wrapped else document
    return Payload(file=row["file"], api=row["api"], path=endpoint, status=int(row["http_status"]), body=body)
