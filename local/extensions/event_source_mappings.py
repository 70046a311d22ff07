"""What the local AWS cannot do for an event source mapping is refused where ministack would store it without effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

KINESIS_BATCH_SIZE = 100  # AWS's default; ministack's is that of queues
DESTINATIONS = ("arn:aws:sqs:", "arn:aws:sns:")


def problem(properties: Properties) -> str | None:
    target = ((properties.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    refused = {
        "ParallelizationFactor above 1": int(properties.get("ParallelizationFactor") or 1) > 1,
        "TumblingWindowInSeconds": int(properties.get("TumblingWindowInSeconds") or 0) > 0,
        "StartingPosition AT_TIMESTAMP": properties.get("StartingPosition") == "AT_TIMESTAMP",
        f"failure destination {target}": bool(target) and not str(target).startswith(DESTINATIONS),
    }
    found = [name for name, is_asked in refused.items() if is_asked]
    return f"The local AWS has no {', '.join(found)} of event source mappings" if found else None


def _checked(original: Callable[..., Any], position: int, refuse: Callable[[str], Any], is_new: bool) -> Any:
    def handler(*arguments: Any) -> Any:
        properties = arguments[position]
        if text := problem(properties):
            return refuse(text)
        if is_new and ":kinesis:" in str(properties.get("EventSourceArn")):
            properties = {"BatchSize": KINESIS_BATCH_SIZE, **properties}
        return original(*arguments[:position], properties, *arguments[position + 1 :])

    return handler


def _answer(text: str) -> Any:
    return error_response_json("InvalidParameterValueException", text, 400)


def _raise(text: str) -> Any:
    raise ValueError(text)


_KIND = "AWS::Lambda::EventSourceMapping"
_handlers = provisioners._RESOURCE_HANDLERS[_KIND]
RESOURCE_TYPES = {
    _KIND: {
        "create": _checked(_handlers["create"], 1, _raise, is_new=True),
        "update": _checked(_handlers["update"], 2, _raise, is_new=False),
    }
}
PATCHES = {
    "ministack.services.lambda_svc._create_esm": _checked(lambda_svc._create_esm, 0, _answer, is_new=True),
    "ministack.services.lambda_svc._update_esm": _checked(lambda_svc._update_esm, 1, _answer, is_new=False),
}
