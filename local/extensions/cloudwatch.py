"""What ministack's CloudWatch lacks: alarms on expressions, and the condition key cloudwatch:namespace."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions
from ministack.services.cloudformation import provisioners

_original_request_tag_context = iam_actions.request_tag_context
_original_alarm_record = provisioners._cw_metric_alarm_record


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """An alarm on an expression is kept and described, but stays INSUFFICIENT_DATA: nothing here evaluates it."""
    if "Metrics" not in properties:
        return _original_alarm_record(name, properties)
    expression = {key: properties[key] for key in ("Metrics", "ThresholdMetricId") if key in properties}
    single = {key: value for key, value in properties.items() if key not in expression}
    record = _original_alarm_record(name, {"MetricName": "-", "Namespace": "-", "Threshold": 0} | single)
    return record | expression | {"MetricName": "", "Namespace": ""}


def request_tag_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    context = _original_request_tag_context(service, iam_action, body, params)
    if iam_action == "cloudwatch:PutMetricData":
        context["cloudwatch:namespace"] = _namespace(body, params)
    return context


def _namespace(body: bytes, params: dict[str, Any]) -> str:
    """Namespace of a request in JSON or in the older form of a query, which the clients here use."""
    if body.startswith(b"{"):
        return json.loads(body).get("Namespace", "")
    return {**params, **parse_qs(body.decode(errors="replace"))}.get("Namespace", [""])[0]


PATCHES = {
    "ministack.core.iam_actions.request_tag_context": request_tag_context,
    "ministack.services.cloudformation.provisioners._cw_metric_alarm_record": alarm_record,
}
