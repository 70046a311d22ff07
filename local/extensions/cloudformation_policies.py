"""What the policies of the templates ask of a request: where it comes from, a resource's tags, a stack's role."""

from __future__ import annotations

from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import tagging

from local.engines.redshift import inventory

LOOPBACK = ("127.0.0.1", "::1")

_original_pin_request_origin = iam_evaluator.pin_request_origin
_original_resource_tags, _original_context = tagging.resource_tags, iam_actions.request_tag_context


def pin_request_origin(source_ip: str, secure_transport: bool) -> None:
    """Count the loopback interface as secure transport: the buckets refuse plain HTTP, and nobody listens in here."""
    _original_pin_request_origin(source_ip, secure_transport or source_ip in LOOPBACK)


def resource_tags(arn: str) -> dict[str, str] | None:
    """Also of the warehouse and of user pools, whose tags ministack does not show to conditions."""
    if pool := dict(tagging._collect_cognito()).get(arn):
        return {tag["Key"]: tag["Value"] for tag in pool}
    found = inventory.tagged(arn)
    return found.tags if found else _original_resource_tags(arn)


def request_context(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
    """Also the role that a change set or a deletion names."""
    context = _original_context(service, action, body, params)
    role = params.get("RoleARN") if service == "cloudformation" else None
    return context | {"cloudformation:rolearn": role[0] if isinstance(role, list) else role} if role else context


PATCHES = {
    "ministack.app.pin_request_origin": pin_request_origin,
    "ministack.services.tagging.resource_tags": resource_tags,
    "ministack.core.iam_actions.request_tag_context": request_context,
}
