"""Counts every call of a run by service, action, role and outcome: what the main path really asked of AWS."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id

from local.extensions.capabilities import outcome

UNSUPPORTED = (b"UnknownOperation", b"InvalidAction", b"Unsupported service", b"NotImplemented")


class CallLog:
    """Counts in memory, written to a file as a whole when they have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._lock = threading.Lock()
        self._written = -1

    def record(self, service: str, action: str, role: str, status: int, body: Any) -> None:
        result = outcome(f"{service}:{action}", status)
        if status == 400 and isinstance(body, bytes) and any(word in body for word in UNSUPPORTED):
            result = "refused"
        with self._lock:
            self._counts[(service, action, role, result)] += 1

    def calls(self) -> list[dict[str, Any]]:
        """One entry a service, action, role and outcome, in that order."""
        with self._lock:
            found = sorted(self._counts.items())
        return [
            {"service": service, "action": action, "role": role, "outcome": result, "count": count}
            for (service, action, role, result), count in found
        ]

    def reset(self) -> None:
        with self._lock:
            self._counts.clear()
            self._written = -1  # as many calls as before are others all the same

    def write(self) -> None:
        total = sum(self._counts.values())
        if total == self._written:
            return
        scratch = self._path.with_suffix(".tmp")
        scratch.write_text(json.dumps({"calls": self.calls()}, indent=1))
        scratch.replace(self._path)
        self._written = total


def describe(method: str, path: str, headers: dict, body: bytes, params: dict) -> tuple[str, str, str | None]:
    """Service, action and role of a request; the role is the name after ``assumed-role/``, or ``root``."""
    service = router.detect_service(method, path, headers, params)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, params)
    namespace, _, name = (action or f"{service}:{method} {path[:60]}").partition(":")
    identity = iam_evaluator.resolve_caller_identity(router.extract_access_key_id(headers, params))
    arn = identity["userArn"] if identity else f"unknown of {get_account_id()}"
    role = arn.split("/")[1] if ":assumed-role/" in arn else arn.rpartition(":")[2]
    return namespace, name, role
