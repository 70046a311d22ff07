"""The payloads that a samples folder's api_payloads/manifest.csv lists (columns file, api, endpoint, http_status)."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

log = logging.getLogger(__name__)


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
        with manifest.open(encoding="utf-8-sig", newline="") as stream:
            return [_load(folder, row) for row in csv.DictReader(stream)]
    except OSError as error:
        raise PayloadError(
            f"{error.filename} cannot be read ({error.strerror}): run samples/build_payloads.py"
        ) from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:  # a line that is too short holds None
        raise PayloadError(
            f"{manifest} cannot be used: {error!r}; each line needs file, api, endpoint and http_status"
        ) from None


def _load(folder: Path, row: dict[str, str]) -> Payload:
    path = folder / row["file"]
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"{path} holds no JSON: {error}; mend it, or take its line out of manifest.csv") from None
    # A recording may come with its status and headers around the body.
    wrapped = isinstance(document, dict) and {"status", "body"} <= document.keys()
    endpoint, _, query = row["endpoint"].removeprefix("GET ").removeprefix("POST ").strip().partition("?")
    body = document["body"] if wrapped else document
    return Payload(
        file=row["file"], api=row["api"], path=endpoint.removesuffix(".json"), status=int(row["http_status"]),
        body=body, query=dict(parse_qsl(query, keep_blank_values=True)),
    )  # fmt: skip


def details(payloads: Iterable[Payload], folder: str, key: str = "id") -> dict[str, Any]:
    """Recorded records whose path is one name below a folder's, by their id.

    :param key: name of the id; a record without it has that of its path, unless that is as general as {id}
    """
    found = {}
    for payload in payloads:
        head, _, name = payload.path.rpartition("/")
        if payload.status != 200 or head != folder:
            continue
        if identifier := text(payload.body, key) or ("" if name.startswith("{") else name):
            found[identifier] = payload.body
        else:
            log.warning("%s is left out: neither it nor its endpoint has an id, so nobody can ask for it", payload.file)
    return found


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
    """Every JSON object in a document, from the outside in, however deep."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)


# A record may hold anything in any place, and is served as it is: curation judges it.
def part(document: Any, *names: str) -> Any:
    """What lies at a path of objects; None where one of them is none, or lacks the name."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def text(document: Any, *names: str) -> str:
    """The text at a path of objects; empty for anything else."""
    value = part(document, *names)
    return value if isinstance(value, str) else ""


def array(document: Any, *names: str) -> list[Any]:
    """The list at a path of objects; empty for anything else."""
    value = part(document, *names)
    return value if isinstance(value, list) else []
