"""What a replayed API answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """A request; header names in lower case.

    :param session: what the APIs keep of its connection
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    session: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answer:
    """An answer; ``cut`` breaks the body off in its middle."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    def content(self) -> bytes:
        if self.status == 304:
            return b""
        try:
            content = json.dumps(self.body, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON has as an escape only
            content = json.dumps(self.body).encode()
        return content[: len(content) // 2] if self.cut else content


class Api(Protocol):
    """One replayed API: its name in the manifest and in faults.json, and its paths."""

    name: str
    prefixes: tuple[str, ...]

    def answer(self, request: Request) -> Answer:
        """Answer a request."""

    def fault(self, status: int) -> Answer:
        """The API's answer of an error status."""

    def summary(self) -> dict[str, int]:
        """What is served, for the health page."""
