"""The payloads that a samples folder's api_payloads/manifest.csv lists (columns file, api, endpoint, http_status)."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl


class PayloadError(RuntimeError):
    """The manifest or one of its files cannot be read."""


@dataclass(frozen=True)
class Payload:
    """One recorded answer.

    :param path: of the endpoint, without method, query and ``.json``, such as /discovery/v2/events/{id}; "any" for an
        error that every endpoint may give
    :param query: of the endpoint, such as {"p": "2"}
    """

    file: str
    api: str
    path: str
    status: int
    body: Any
    query: Mapping[str, str] = field(default_factory=dict)


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
            f"{error.filename} cannot be read ({error.strerror}): run samples/build_payloads.py"
        ) from None
    except (KeyError, ValueError, IndexError) as error:
        raise PayloadError(f"{manifest} cannot be used: {error!r}") from None


def _load(folder: Path, row: dict[str, str]) -> Payload:
    path = folder / row["file"]
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PayloadError(f"{path} holds no JSON: {error}") from None
    # A recording may come with its status and headers around the body.
    wrapped = isinstance(document, dict) and {"status", "body"} <= document.keys()
    endpoint, _, query = row["endpoint"].removeprefix("GET ").removeprefix("POST ").strip().partition("?")
    body = document["body"] if wrapped else document
    return Payload(
        file=row["file"], api=row["api"], path=endpoint.removesuffix(".json"), status=int(row["http_status"]),
        body=body, query=dict(parse_qsl(query, keep_blank_values=True)),
    )  # fmt: skip


def errors_by_status(payloads: Iterable[Payload]) -> dict[int, Any]:
    """The recorded body of each error status; the manifest's first one counts."""
    return {payload.status: payload.body for payload in reversed(list(payloads)) if payload.status >= 400}


def recorded_at(payloads: Iterable[Payload], path: str) -> Payload | None:
    """The first recorded answer of a path, whatever the query; {id} in a recording's path stands for any one name."""
    return next((payload for payload in payloads if payload.status == 200 and _fits(payload.path, path)), None)


def _fits(template: str, path: str) -> bool:
    pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"({[^}]*})", template))
    return re.fullmatch(pattern, path) is not None


def objects(document: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object in a document, from the outside in."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from objects(value)
    elif isinstance(document, list):
        for value in document:
            yield from objects(value)
