"""Requests and answers of API Gateway's proxy integration, the same in every function.

A failure has one shape, also in the gateway responses of compute-application.yaml:
``{"error": {"code": ..., "message": ..., "request_id": ...}}``.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

Event = dict[str, Any]
Response = dict[str, Any]
Routes = Mapping[tuple[str, str], Callable[[Event], Response]]

logger = logging.getLogger("concert_platform")
logger.setLevel(logging.INFO)


class RequestError(Exception):
    """The caller gets this status, code and message instead of an answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def answer(event: Event, routes: Routes) -> Response:
    """Answer one request; an unexpected error is logged and answered without its details."""
    method, path = event.get("httpMethod", "GET"), event.get("path", "")
    route = routes.get((method, path.rstrip("/") or "/"))
    try:
        if route is None:
            raise RequestError(404, "not_found", f"no route for {method} {path}")
        return route(event)
    except RequestError as error:
        return fail(event, error.status, error.code, str(error))
    except Exception:
        logger.exception("%s %s failed", method, path)
        return fail(event, 500, "internal_error", "internal error")


def health(event: Event) -> Response:
    """Which environment and which code bundle answer here."""
    return respond(event, 200, {
        "status": "ok",
        "environment": os.environ["ENVIRONMENT"],
        "version": os.environ["ARTIFACTS_PREFIX"].rpartition("/")[2],
    })  # fmt: skip


def read_json(event: Event) -> dict[str, Any]:
    """The body of a request.

    :raises RequestError: when it is not a JSON object
    """
    body = event.get("body") or ""
    try:
        document = load_json(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except ValueError as error:
        raise RequestError(400, "bad_request", "the body is not JSON") from error
    if not isinstance(document, dict):
        raise RequestError(400, "bad_request", "the body is not a JSON object")
    return document


def load_json(data: str | bytes) -> Any:
    """:raises ValueError: when the data is not JSON, is nested too deep, or has NaN or Infinity, which JSON has not"""
    try:
        return json.loads(data, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def respond(event: Event, status: int, document: dict[str, Any]) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    # The stage knows which site may call it; the function's own stack is older than the site.
    if origin := (event.get("stageVariables") or {}).get("allowedOrigin"):
        headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(document)}


def fail(event: Event, status: int, code: str, message: str) -> Response:
    request_id = (event.get("requestContext") or {}).get("requestId", "")
    return respond(event, status, {"error": {"code": code, "message": message, "request_id": request_id}})
