"""Request validators of a template take effect: ministack's data plane knows them, its CloudFormation types do not."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import apigateway_v1
from ministack.services.cloudformation import provisioners

Properties = dict[str, Any]

_create_method = provisioners._apigw_method_create
FLAGS = ("ValidateRequestBody", "ValidateRequestParameters")


def create_method(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
    answer = _create_method(logical_id, properties, stack_name)
    methods = apigateway_v1._resources[properties["RestApiId"]][properties["ResourceId"]]["resourceMethods"]
    methods[properties["HttpMethod"]]["requestValidatorId"] = properties.get("RequestValidatorId")
    return answer


def create_validator(_: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
    flags = {name[0].lower() + name[1:]: str(properties.get(name)).lower() == "true" for name in FLAGS}
    status, _headers, body = apigateway_v1._create_request_validator(
        properties["RestApiId"], {"name": properties.get("Name", ""), **flags}
    )
    document = json.loads(body)
    if status != 201:
        raise ValueError(document["message"])
    return document["id"], {"RequestValidatorId": document["id"]}


def update_validator(identity: str, _: Properties, new: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
    changes = [{"op": "replace", "path": f"/{name[0].lower()}{name[1:]}", "value": new.get(name)} for name in FLAGS]
    apigateway_v1._update_request_validator(new["RestApiId"], identity, {"patchOperations": changes})
    return identity, {"RequestValidatorId": identity}


def delete_validator(identity: str, properties: Properties) -> None:
    apigateway_v1._delete_request_validator(properties["RestApiId"], identity)


PATCHES = {"ministack.services.cloudformation.provisioners._apigw_method_create": create_method}
RESOURCE_TYPES = {
    "AWS::ApiGateway::Method": {
        **provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"], "create": create_method,
    },
    "AWS::ApiGateway::RequestValidator": {
        "create": create_validator, "update": update_validator, "delete": delete_validator,
        "replacing_properties": ("RestApiId", "Name"),
    },
}  # fmt: skip
