"""Import of types that ministack imports not: a stack takes over the resource as it is."""

from __future__ import annotations

from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import kinesis, secretsmanager
from ministack.services.cloudformation import provisioners


def _import_secret(identifier: dict[str, str]) -> tuple[str, dict[str, str]]:
    wanted = identifier["Id"]
    for name, secret in secretsmanager._secrets.items():
        if wanted in (name, secret["ARN"]):
            return name, {"Id": secret["ARN"], "Arn": secret["ARN"]}
    raise ValueError(f"Resource of type 'AWS::SecretsManager::Secret' with identifier '{wanted}' was not found.")


def _import_stream(identifier: dict[str, str]) -> tuple[str, dict[str, str]]:
    name = identifier["Name"]
    if name not in kinesis._streams:
        raise ValueError(f"Resource of type 'AWS::Kinesis::Stream' with identifier '{name}' was not found.")
    return name, {"Arn": f"arn:aws:kinesis:{get_region()}:{get_account_id()}:stream/{name}"}


def _with_import(kind: str, handler: Any) -> dict[str, Any]:
    return {**provisioners._RESOURCE_HANDLERS[kind], "import": handler}


RESOURCE_TYPES = {
    "AWS::Kinesis::Stream": _with_import("AWS::Kinesis::Stream", _import_stream),
    "AWS::SecretsManager::Secret": _with_import("AWS::SecretsManager::Secret", _import_secret),
}
