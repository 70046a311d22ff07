"""Redshift Serverless: namespaces and workgroups, by API and by CloudFormation.

A namespace names the database and the roles that COPY and UNLOAD may use; what is stored in it lies in PostgreSQL
(local/engines/redshift) and stays there when the namespace is deleted. Capacity and network are stored only.
"""

from __future__ import annotations

import copy
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import error_response_json, json_response
from psycopg2.extensions import parse_dsn

from local.engines.redshift import inventory
from local.engines.redshift.inventory import Namespace, Workgroup

CONTENT_TYPE = "application/x-amz-json-1.1"
CREDENTIALS_SECONDS = 900
_NAME = re.compile(r"[a-z0-9-]{3,64}")
_NUMBERS = ("baseCapacity", "maxCapacity", "port")
_NAMESPACE_FIELDS = ("adminUsername", "adminPasswordSecretKmsKeyId", "defaultIamRoleArn", "iamRoles", "kmsKeyId",
                     "logExports")  # fmt: skip
_WORKGROUP_FIELDS = ("baseCapacity", "maxCapacity", "configParameters", "enhancedVpcRouting", "port",
                     "pricePerformanceTarget", "publiclyAccessible", "securityGroupIds", "subnetIds",
                     "trackName")  # fmt: skip

Document = dict[str, Any]


class ApiError(Exception):
    """:param code: name of the exception in the API"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Any:
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    handler = ACTIONS.get(action)
    if handler is None:
        return _error("UnknownOperationException", f"{action} is not run by the local platform", 501)
    try:
        return json_response(handler(json.loads(body or b"{}")), content_type=CONTENT_TYPE)
    except ApiError as error:
        return _error(error.code, str(error), 404 if error.code == "ResourceNotFoundException" else 400)


def _error(code: str, message: str, status: int = 400) -> Any:
    return error_response_json(code, message, status, content_type=CONTENT_TYPE)


def _arn(kind: str, identity: str) -> str:
    region, account = os.environ.get("MINISTACK_REGION", "us-east-1"), os.environ.get("MINISTACK_ACCOUNT_ID", "")
    return f"arn:aws:redshift-serverless:{region}:{account}:{kind}/{identity}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _new_name(request: Document, key: str, existing: dict[str, Any]) -> str:
    name = str(request.get(key, ""))
    if not _NAME.fullmatch(name):
        raise ApiError("ValidationException", f"{key} {name!r} must be 3 to 64 lower-case letters, digits or '-'")
    if name in existing:
        raise ApiError("ConflictException", f"{key} {name} already exists")
    return name


# ---------------------------------------------------------------- namespaces


def create_namespace(request: Document) -> Document:
    name = _new_name(request, "namespaceName", inventory.namespaces)
    if request.get("manageAdminPassword") and request.get("adminUserPassword"):
        raise ApiError("ValidationException", "adminUserPassword cannot stand beside manageAdminPassword")
    identity = str(uuid.uuid4())
    document = {
        "namespaceName": name, "namespaceId": identity, "namespaceArn": _arn("namespace", identity),
        "dbName": request.get("dbName") or inventory.DEFAULT_DATABASE, "adminUsername": "admin",
        "iamRoles": [], "logExports": [], "kmsKeyId": "AWS_OWNED_KMS_KEY",
        "status": "AVAILABLE", "creationDate": _now(), **_given(request, _NAMESPACE_FIELDS),
    }  # fmt: skip
    _check_roles(document)
    inventory.namespaces[name] = Namespace(document, _tags(request))
    return {"namespace": document}


def _check_roles(document: Document) -> None:
    default = document.get("defaultIamRoleArn")
    if default and default not in document["iamRoles"]:
        raise ApiError("ValidationException", f"defaultIamRoleArn {default} must be one of iamRoles")


def _namespace(request: Document) -> Namespace:
    name = str(request.get("namespaceName", ""))
    if name not in inventory.namespaces:
        raise ApiError("ResourceNotFoundException", f"namespace {name} does not exist")
    return inventory.namespaces[name]


def update_namespace(request: Document) -> Document:
    found = _namespace(request)
    changed = {**found.document, **_given(request, _NAMESPACE_FIELDS)}
    _check_roles(changed)
    found.document = changed
    return {"namespace": changed}


def delete_namespace(request: Document) -> Document:
    found = _namespace(request)
    if users := [one.name for one in inventory.workgroups.values() if one.document["namespaceName"] == found.name]:
        raise ApiError("ConflictException", f"namespace {found.name} is used by workgroup {users[0]}: delete it first")
    del inventory.namespaces[found.name]
    return {"namespace": {**found.document, "status": "DELETING"}}


# ---------------------------------------------------------------- workgroups


def create_workgroup(request: Document) -> Document:
    name = _new_name(request, "workgroupName", inventory.workgroups)
    namespace = _namespace(request)
    if users := [one.name for one in inventory.workgroups.values() if one.document["namespaceName"] == namespace.name]:
        raise ApiError("ConflictException", f"namespace {namespace.name} already has the workgroup {users[0]}")
    identity = str(uuid.uuid4())
    document = {
        "workgroupName": name, "workgroupId": identity, "workgroupArn": _arn("workgroup", identity),
        "namespaceName": namespace.name, "status": "AVAILABLE", "creationDate": _now(), "baseCapacity": 128,
        "configParameters": [], "enhancedVpcRouting": False, "publiclyAccessible": False, "securityGroupIds": [],
        "subnetIds": [], "workgroupVersion": "1.0", "endpoint": _endpoint(), **_given(request, _WORKGROUP_FIELDS),
    }  # fmt: skip
    _check_capacity(document)
    inventory.workgroups[name] = Workgroup(document, _tags(request))
    return {"workgroup": document}


def _endpoint() -> Document:
    """The address of PostgreSQL, so that a SQL client that reads it reaches the warehouse."""
    dsn = parse_dsn(os.environ.get("LOCAL_WAREHOUSE_DSN", ""))
    return {"address": dsn.get("host", "127.0.0.1"), "port": int(dsn.get("port", 5439)), "vpcEndpoints": []}


def _check_capacity(document: Document) -> None:
    capacity = document["baseCapacity"]
    if capacity != 4 and (capacity % 8 or not 8 <= capacity <= 1024):
        raise ApiError("ValidationException", f"baseCapacity {capacity} must be 4, or 8 to 1024 in steps of 8")


def _workgroup(request: Document) -> Workgroup:
    name = str(request.get("workgroupName", ""))
    if name not in inventory.workgroups:
        raise ApiError("ResourceNotFoundException", f"workgroup {name} does not exist")
    return inventory.workgroups[name]


def update_workgroup(request: Document) -> Document:
    found = _workgroup(request)
    changed = {**found.document, **_given(request, _WORKGROUP_FIELDS)}
    _check_capacity(changed)
    found.document = changed
    return {"workgroup": changed}


def delete_workgroup(request: Document) -> Document:
    found = _workgroup(request)
    del inventory.workgroups[found.name]
    return {"workgroup": {**found.document, "status": "DELETING"}}


def get_workgroup(request: Document) -> Document:
    # The endpoint of a restarted PostgreSQL may have moved.
    return {"workgroup": {**_workgroup(request).document, "endpoint": _endpoint()}}


def get_credentials(request: Document) -> Document:
    _workgroup(request)
    dsn, now = parse_dsn(os.environ["LOCAL_WAREHOUSE_DSN"]), time.time()
    seconds = int(request.get("durationSeconds", CREDENTIALS_SECONDS))
    return {"dbUser": dsn.get("user", ""), "dbPassword": dsn.get("password", ""),
            "expiration": now + seconds, "nextRefreshTime": now + seconds}  # fmt: skip


# ---------------------------------------------------------------- what both share


def _given(request: Document, names: tuple[str, ...]) -> Document:
    return {name: request[name] for name in names if request.get(name) is not None}


def _tags(request: Document) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in request.get("tags") or []}


def _tagged(request: Document) -> Namespace | Workgroup:
    found = inventory.tagged(request.get("resourceArn", ""))
    if found is None:
        raise ApiError("ResourceNotFoundException", f"{request.get('resourceArn')} does not exist")
    return found


def tag_resource(request: Document) -> Document:
    _tagged(request).tags.update(_tags(request))
    return {}


def untag_resource(request: Document) -> Document:
    found = _tagged(request)
    for key in request.get("tagKeys", []):
        found.tags.pop(key, None)
    return {}


def list_tags(request: Document) -> Document:
    return {"tags": [{"key": key, "value": value} for key, value in _tagged(request).tags.items()]}


ACTIONS: dict[str, Callable[[Document], Document]] = {
    "CreateNamespace": create_namespace,
    "GetNamespace": lambda request: {"namespace": _namespace(request).document},
    "UpdateNamespace": update_namespace,
    "DeleteNamespace": delete_namespace,
    "ListNamespaces": lambda _: {"namespaces": [one.document for one in inventory.namespaces.values()]},
    "CreateWorkgroup": create_workgroup,
    "GetWorkgroup": get_workgroup,
    "UpdateWorkgroup": update_workgroup,
    "DeleteWorkgroup": delete_workgroup,
    "ListWorkgroups": lambda _: {"workgroups": [one.document for one in inventory.workgroups.values()]},
    "GetCredentials": get_credentials,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags,
}


def _arn_of_request(action: str, request: Document, region: str, account: str) -> str:
    if arn := request.get("resourceArn"):
        return str(arn)
    if group := inventory.workgroups.get(request.get("workgroupName", "")):
        return group.arn
    if action.endswith("Namespace") and (space := inventory.namespaces.get(request.get("namespaceName", ""))):
        return str(space.document["namespaceArn"])
    kind = next((kind for kind in ("namespace", "workgroup") if action.endswith(kind.title())), None)
    return f"arn:aws:redshift-serverless:{region}:{account}:{kind}/none" if kind else "*"


SERVICE = {
    "name": "redshift-serverless",
    "module": "redshift_serverless",
    "credential_scope": "redshift-serverless",
    "target_prefix": "RedshiftServerless.",
    "iam_namespace": "redshift-serverless",
    "resource_arn": _arn_of_request,
}


def reset() -> None:
    inventory.clear()


def get_state() -> Document:
    return copy.deepcopy(inventory.state())


def load_persisted_state(data: Document) -> None:
    inventory.restore(data or {})


# ---------------------------------------------------------------- CloudFormation


def _api_form(value: Any, key: str = "") -> Any:
    """CloudFormation's NamespaceName is the API's namespaceName; a template may write a number or a truth as text."""
    if isinstance(value, dict):
        names = {name: name[:1].lower() + name[1:] for name in value}
        return {names[name]: _api_form(item, names[name]) for name, item in value.items()}
    if isinstance(value, list):
        return [_api_form(item) for item in value]
    if key in _NUMBERS:
        return int(value)
    if isinstance(value, str) and value in ("true", "false") and key not in ("value", "parameterValue"):
        return value == "true"
    return value


def _attributes(prefix: str, document: Document) -> Document:
    """What Fn::GetAtt returns: Namespace.NamespaceArn, Workgroup.Endpoint.Address and so on."""
    out: Document = {}
    for key, value in document.items():
        name = f"{prefix}.{key[:1].upper()}{key[1:]}"
        if isinstance(value, dict):
            out |= _attributes(name, value)
        else:
            out[name] = value
    return out


def _handlers(kind: str, replacing: tuple[str, ...]) -> dict[str, Any]:
    name_key = f"{kind.lower()}Name"

    def create(logical_id: str, properties: Document, stack_name: str) -> tuple[str, Document]:
        request = _api_form(properties)
        document = ACTIONS[f"Create{kind}"](request)[kind.lower()]
        return document[name_key], _attributes(kind, document)

    def update(physical_id: str, old: Document, new: Document, stack_name: str) -> tuple[str, Document]:
        request = {**_api_form(new), name_key: physical_id}
        document = ACTIONS[f"Update{kind}"](request)[kind.lower()]
        store: dict[str, Any] = inventory.namespaces if kind == "Namespace" else inventory.workgroups
        store[physical_id].tags = _tags(request)
        return physical_id, _attributes(kind, document)

    def delete(physical_id: str, properties: Document) -> None:
        store: dict[str, Any] = inventory.namespaces if kind == "Namespace" else inventory.workgroups
        if physical_id in store:
            ACTIONS[f"Delete{kind}"]({name_key: physical_id})

    def adopt(identifier: Document) -> tuple[str, Document]:
        (name,) = identifier.values()
        return name, _attributes(kind, ACTIONS[f"Get{kind}"]({name_key: name})[kind.lower()])

    def missing(name: str) -> str | None:
        found = name in (inventory.namespaces if kind == "Namespace" else inventory.workgroups)
        return None if found else f"{kind} {name} does not exist"

    return {"create": create, "update": update, "delete": delete, "replacing_properties": replacing,
            "import": adopt, "import_problem": missing}  # fmt: skip


RESOURCE_TYPES = {
    "AWS::RedshiftServerless::Namespace": _handlers("Namespace", ("NamespaceName", "DbName")),
    "AWS::RedshiftServerless::Workgroup": _handlers("Workgroup", ("WorkgroupName", "NamespaceName")),
}
