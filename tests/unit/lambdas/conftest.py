"""The functions' modules as Lambda imports them: a folder and the shared one at the root of the path."""

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

FOLDER = Path(__file__).parents[3] / "include" / "lambda"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/interactions"


@pytest.fixture(autouse=True)
def output_of_the_function_alone() -> Iterator[None]:
    """Airflow is not in a function's process; in this one its handler writes log lines to standard output."""
    root = logging.getLogger()
    airflows = [handler for handler in root.handlers if type(handler).__module__.startswith("airflow")]
    for handler in airflows:
        root.removeHandler(handler)
    yield
    for handler in airflows:
        root.addHandler(handler)


class FakeClient:
    """Records the calls; answers with what is in `answers`, and raises what is an exception there."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            queue = self.answers.get(name, [])
            found = queue.pop(0) if queue else {}
            if isinstance(found, Exception):
                raise found
            return found

        return call

    def get_paginator(self, name: str) -> Any:
        client = self

        class Paginator:
            def paginate(self, **arguments: Any) -> Any:
                client.calls.append((name, arguments))
                return client.answers[name]

        return Paginator()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """One client stands for every service."""
    for name in ("STREAM_NAME", "AGGREGATE_TABLE", "PROCESSED_EVENT_TABLE", "CONCERT_ARTIST_TABLE",
                 "DEAD_LETTER_QUEUE_URL", "RAW_BUCKET", "CONVERSATION_TABLE", "SESSION_TABLE",
                 "PREFERENCE_TABLE"):  # fmt: skip
        monkeypatch.setenv(name, name.lower())
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("ARTIFACTS_PREFIX", "artifacts/0123456789abcdef")
    monkeypatch.setenv("SESSION_IDLE_MINUTES", "60")
    monkeypatch.setenv("AGGREGATE_DAYS", "400")
    return FakeClient()


@pytest.fixture
def load(aws: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], ModuleType]]:
    """load("api", "handler") -> the module, whose AWS client is `aws`."""
    before = set(sys.modules)

    def load_module(function: str, name: str) -> ModuleType:
        for folder in ("shared", function):
            monkeypatch.syspath_prepend(str(FOLDER / folder))
        monkeypatch.setattr(importlib.import_module("clients"), "client", lambda service: aws)
        return importlib.import_module(name)

    yield load_module
    for name in set(sys.modules) - before:
        if str(FOLDER) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def cancelled(*codes: str) -> ClientError:
    response = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": code, "Message": "no"} for code in codes],
    }
    return ClientError(response, "TransactWriteItems")  # type: ignore[arg-type]
