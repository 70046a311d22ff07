"""What becomes of a function's executions: metrics of each, and dead letters as AWS writes them.

ministack counts only the calls of Invoke, and puts a dead letter into the envelope of a destination.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from local.extensions import registry

Properties = dict[str, Any]

LONGEST_MESSAGE = 1024  # characters of an error beside a dead letter
logger = logging.getLogger("lambda-outcomes")
_original_route, _original_dispatch = lambda_svc._route_async_failure, lambda_svc._execute_function_dispatch


def execute(function: Properties, config: Properties, event: Any, request_id: str, started: float) -> Properties:
    """Every way to a function leads through here, but for the calls that are throttled."""
    result = _original_dispatch(function, config, event, request_id, started)
    name = config["FunctionName"]
    _measure(name, "Invocations", 1)
    _measure(name, "Errors", 1 if result.get("error") else 0)
    _measure(name, "Throttles", 0)
    _measure(name, "Duration", (time.time() - started) * 1000, "Milliseconds")
    return {**result, "request_id": request_id}


def emit_metrics(name: str, duration_ms: float, error: bool, throttle: bool) -> None:
    """Of ministack's own counts the throttled calls, which it tells of twice, the second time as an error."""
    if throttle and not error:
        _measure(name, "Throttles", 1)


def route_async_failure(target: str, name: str, event: Any, result: Properties) -> None:
    """A dead letter is the event as it came, with the error in its attributes."""
    config = lambda_svc._functions[name]["config"]
    if target != (config.get("DeadLetterConfig") or {}).get("TargetArn"):
        _original_route(target, name, event, result)
        return
    body = result.get("body")
    error = body if isinstance(body, dict) else {}
    message = error.get("errorMessage") or error.get("message") or "the function failed"
    attributes = {
        "RequestID": _text(result.get("request_id", "none")),
        "ErrorCode": {"DataType": "Number", "StringValue": "429" if result.get("throttle") else "200"},
        "ErrorMessage": _text(message[:LONGEST_MESSAGE]),
    }
    try:
        registry.deliver(config["Role"], target, json.dumps(event), attributes)
    except Exception:  # counted and no more, as on AWS
        logger.exception("%s could not reach %s", name, target)
        _measure(name, "DeadLetterErrors", 1)


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _measure(function: str, name: str, value: float, unit: str = "Count") -> None:
    cloudwatch.record_metric("AWS/Lambda", name, value, unit, {"FunctionName": function})


_MODULE = "ministack.services.lambda_svc"
PATCHES = {
    f"{_MODULE}._execute_function_dispatch": execute,
    f"{_MODULE}._emit_lambda_metrics": emit_metrics,
    f"{_MODULE}._route_async_failure": route_async_failure,
}
