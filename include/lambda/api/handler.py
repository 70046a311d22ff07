"""The REST API behind API Gateway's proxy integration: one function, one route a path and method."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]
Response = dict[str, Any]

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)


def health(_: Event) -> Response:
    """Which environment and which code bundle answer here."""
    return respond(200, {
        "status": "ok",
        "environment": os.environ["ENVIRONMENT"],
        "version": os.environ["ARTIFACTS_PREFIX"].rpartition("/")[2],
    })  # fmt: skip


ROUTES: dict[tuple[str, str], Callable[[Event], Response]] = {("GET", "/health"): health}


def handler(event: Event, _context: object) -> Response:
    """Answer one request; an unexpected error is logged and answered without its details."""
    method, path = event.get("httpMethod", ""), event.get("path", "")
    route = ROUTES.get((method, path.rstrip("/") or "/"))
    if route is None:
        return respond(404, {"message": f"no route for {method} {path}"})
    try:
        return route(event)
    except Exception:
        logger.exception("%s %s failed", method, path)
        return respond(500, {"message": "internal error"})


def respond(status: int, document: dict[str, Any]) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(document)}
