"""Lake Formation: the settings of the account, which a deployment asks before it creates the catalogue.

The account starts as it is after the step for them in docs/aws.md: a new table is open to nobody. Grants, tags and
locations are kept by their stacks (configuration_types.yaml), and no call here decides by them.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response

CONTENT_TYPE = "application/json"
NAME = "lakeformation"
_settings: dict[str, Any] = {}

SERVICE = {
    "name": NAME,
    "module": NAME,
    "credential_scope": NAME,
    "target_prefix": "AWSLakeFormation.",  # never sent: the path names the action
    "iam_namespace": NAME,
    "resource_arn": lambda *_: "*",
}
iam_actions._BOTOCORE_SERVICE_MAP[NAME] = [NAME]  # how ministack reads actions off paths


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Any:
    action = path.strip("/")
    if action == "PutDataLakeSettings":
        _settings.clear()
        _settings.update(json.loads(body)["DataLakeSettings"])
        return json_response({}, content_type=CONTENT_TYPE)
    if action == "GetDataLakeSettings":
        empty: dict[str, Any] = {
            "DataLakeAdmins": [],
            "CreateDatabaseDefaultPermissions": [],
            "CreateTableDefaultPermissions": [],
        }
        return json_response({"DataLakeSettings": empty | _settings}, content_type=CONTENT_TYPE)
    return error_response_json(
        "UnknownOperationException", f"{action} is not run by the local platform", 501, content_type=CONTENT_TYPE
    )


def reset() -> None:
    _settings.clear()


def get_state() -> dict[str, Any]:
    return copy.deepcopy(_settings)


def load_persisted_state(data: dict[str, Any]) -> None:
    _settings.update(data)
