"""What the bucket policies of the templates ask of a request that never leaves this machine."""

from __future__ import annotations

from ministack.core import iam_evaluator

LOOPBACK = ("127.0.0.1", "::1")

_original_pin_request_origin = iam_evaluator.pin_request_origin


def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
    """Count the loopback interface as secure transport: the buckets refuse plain HTTP, and nobody listens in here."""
    _original_pin_request_origin(source_ip, secure_transport or source_ip in LOOPBACK)


PATCHES = {"ministack.app.pin_request_origin": pin_request_origin}
