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
from urllib.parse import unquote

Event = dict[str, Any]
Response = dict[str, Any]
Routes = Mapping[tuple[str, str], Callable[[Event], Response]]  # by method and resource: /venues/{venue_id}/analysis
LONGEST_PARAMETER = 256  # characters; no id is longer, and a key of DynamoDB has an end

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
    resource = event.get("resource") or path  # who calls past the API, as monitors do, names a path alone
    route = routes.get((method, resource.rstrip("/") or "/"))
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


def path_parameter(event: Event, name: str) -> str:
    """A part of the path. A REST API hands it on as it was sent, percent-encoded.

    :raises RequestError: when it is no text
    """
    try:
        value = unquote((event.get("pathParameters") or {}).get(name) or "", errors="strict")
    except UnicodeDecodeError as error:
        raise RequestError(400, "bad_request", f"{name} is not percent-encoded UTF-8") from error
    return _short(name, value)


def query_parameter(event: Event, name: str) -> str | None:
    """What is asked behind the question mark; None where it is not, or empty.

    :raises RequestError: when it is too long
    """
    value = (event.get("queryStringParameters") or {}).get(name)
    return _short(name, value) if value else None


def _short(name: str, value: str) -> str:
    if not 1 <= len(value) <= LONGEST_PARAMETER:
        raise RequestError(400, "bad_request", f"{name} is not a text of 1 to {LONGEST_PARAMETER} characters")
    return value


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
    return {
        "statusCode": status,
        "headers": headers,
        "body": json.dumps(document, default=lambda value: value.isoformat()),
    }


def fail(event: Event, status: int, code: str, message: str) -> Response:
    request_id = (event.get("requestContext") or {}).get("requestId", "")
    return respond(event, status, {"error": {"code": code, "message": message, "request_id": request_id}})
