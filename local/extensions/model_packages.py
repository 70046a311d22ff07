"""SageMaker's model registry: the versions of a model package group, which a stack has created.

Actions and state belong to sagemaker.py. A version is kept as DescribeModelPackage answers it; nothing serves it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import drift

from local.extensions import cloudformation_configuration

GROUP = "AWS::SageMaker::ModelPackageGroup"
STATUSES = ("Approved", "Rejected", "PendingManualApproval")
ORDERS = ("Ascending", "Descending")
SORT_KEYS = {"CreationTime": ("CreationTime", "ModelPackageVersion"), "Name": ("ModelPackageVersion",)}
MOST_PROPERTIES, LONGEST_KEY, LONGEST_VALUE, LONGEST_DESCRIPTION = 50, 128, 256, 1024
# Letters, spaces and digits of any script, and these signs.
PROPERTY = re.compile(r"[\w\s.:/=+\-@]*")
LARGEST_PAGE, DEFAULT_PAGE = 100, 10
CREATED = ("InferenceSpecification", "ModelPackageDescription", "CustomerMetadataProperties", "ModelMetrics",
           "MetadataProperties", "Domain", "Task", "SourceUri", "DriftCheckBaselines")  # fmt: skip
UPDATED = ("ApprovalDescription", "InferenceSpecification", "SourceUri")
SUMMARY = ("ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "ModelPackageDescription",
           "CreationTime", "ModelPackageStatus", "ModelApprovalStatus")  # fmt: skip

# ARN of a group -> last number given, versions by number, and the answers by client token
groups: dict[str, dict[str, Any]] = {}


class InvalidRequestError(ValueError):
    """What SageMaker answers with a ValidationException."""


class ConflictError(ValueError):
    """What SageMaker answers with a ConflictException."""


# ---------------------------------------------------------------- names


def _arn(kind: str, name: str) -> str:
    region, account = os.environ.get("MINISTACK_REGION", "us-east-1"), os.environ.get("MINISTACK_ACCOUNT_ID", "")
    return f"arn:aws:sagemaker:{region}:{account}:{kind}/{name}"


def group_arn(request: dict[str, Any]) -> str:
    """:raises InvalidRequestError: when no stack has created the group"""
    arn = _arn("model-package-group", request.get("ModelPackageGroupName", "").rpartition("/")[2])
    if drift._DRIFT_READERS[GROUP][0](arn, {}) is None:
        raise InvalidRequestError(f"ModelPackageGroup {arn.rpartition('/')[2]} does not exist.")
    return arn


def _versions(arn: str) -> dict[int, dict[str, Any]]:
    return groups.setdefault(arn, {"last": 0, "versions": {}, "tokens": {}})["versions"]


def _package(arn: str) -> dict[str, Any]:
    """:raises InvalidRequestError: when there is no such version"""
    for group in groups.values():
        for package in group["versions"].values():
            if package["ModelPackageArn"] == arn:
                return package
    raise InvalidRequestError(f"ModelPackage {arn} does not exist.")


# ---------------------------------------------------------------- requests


def _one_of(request: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value = request.get(name)
    if value is not None and value not in allowed:
        member = name[0].lower() + name[1:]
        raise InvalidRequestError(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(allowed)}]"
        )
    return value


def _properties(request: dict[str, Any]) -> dict[str, str]:
    given = request.get("CustomerMetadataProperties", {})
    if len(given) > MOST_PROPERTIES:
        raise InvalidRequestError(f"customerMetadataProperties holds {len(given)} entries: at most {MOST_PROPERTIES}")
    for key, value in given.items():
        if not (PROPERTY.fullmatch(key) and PROPERTY.fullmatch(value)):
            raise InvalidRequestError(f"customerMetadataProperties {key}={value!r} holds a character that is refused")
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise InvalidRequestError(
                f"customerMetadataProperties {key} is longer than {LONGEST_KEY} or its value than {LONGEST_VALUE}"
            )
    return given


def create(request: dict[str, Any]) -> dict[str, Any]:
    if not request.get("ModelPackageGroupName"):
        raise InvalidRequestError("ModelPackageGroupName is missing: only versions of a group are kept here")
    if not request.get("InferenceSpecification", {}).get("Containers"):
        raise InvalidRequestError("InferenceSpecification names no container: a version needs an image and its model")
    if request.get("Tags"):
        raise InvalidRequestError("Tags are not allowed on a versioned model package: tag its group")
    arn = group_arn(request)
    status = _one_of(request, "ModelApprovalStatus", STATUSES) or "PendingManualApproval"
    _properties(request)
    versions, group = _versions(arn), groups[arn]
    token = request.get("ClientToken", "")
    if token and token in group["tokens"]:
        return {"ModelPackageArn": group["tokens"][token]}
    number = group["last"] = group["last"] + 1
    name = arn.rpartition("/")[2]
    now = time.time()
    package = {
        **{key: request[key] for key in CREATED if key in request},
        "ModelPackageName": name,
        "ModelPackageGroupName": name,
        "ModelPackageVersion": number,
        "ModelPackageArn": _arn("model-package", f"{name}/{number}"),
        "ModelApprovalStatus": status,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "CertifyForMarketplace": False,
        "CreationTime": now,
        "LastModifiedTime": now,
    }
    versions[number] = package
    if token:
        group["tokens"][token] = package["ModelPackageArn"]
    return {"ModelPackageArn": package["ModelPackageArn"]}


def describe(request: dict[str, Any]) -> dict[str, Any]:
    return _package(request.get("ModelPackageName", ""))


def update(request: dict[str, Any]) -> dict[str, Any]:
    package = _package(request.get("ModelPackageArn", ""))
    status = _one_of(request, "ModelApprovalStatus", STATUSES)
    if len(request.get("ApprovalDescription", "")) > LONGEST_DESCRIPTION:
        raise InvalidRequestError(f"approvalDescription is longer than {LONGEST_DESCRIPTION} characters")
    properties = {**package.get("CustomerMetadataProperties", {}), **_properties(request)}
    for name in request.get("CustomerMetadataPropertiesToRemove", []):
        properties.pop(name, None)
    package |= {key: request[key] for key in UPDATED if key in request}
    if status:
        package["ModelApprovalStatus"] = status
    if properties:
        package["CustomerMetadataProperties"] = properties
    package["LastModifiedTime"] = time.time()
    return {"ModelPackageArn": package["ModelPackageArn"]}


def delete(request: dict[str, Any]) -> dict[str, Any]:
    package = _package(request.get("ModelPackageName", ""))
    arn = _arn("model-package-group", package["ModelPackageGroupName"])
    del _versions(arn)[package["ModelPackageVersion"]]
    tokens = groups[arn]["tokens"]
    groups[arn]["tokens"] = {token: made for token, made in tokens.items() if made != package["ModelPackageArn"]}
    return {}


def list_packages(request: dict[str, Any]) -> dict[str, Any]:
    status = _one_of(request, "ModelApprovalStatus", STATUSES)
    order = _one_of(request, "SortOrder", ORDERS) or "Ascending"
    keys = SORT_KEYS[_one_of(request, "SortBy", tuple(SORT_KEYS)) or "CreationTime"]
    size = request.get("MaxResults", DEFAULT_PAGE)
    if not 1 <= size <= LARGEST_PAGE:
        raise InvalidRequestError(f"maxResults {size} is not 1 to {LARGEST_PAGE}")
    versions = _versions(group_arn(request)).values()
    created = (request.get("CreationTimeAfter", float("-inf")), request.get("CreationTimeBefore", float("inf")))
    found = [
        package
        for package in versions
        if (status is None or package["ModelApprovalStatus"] == status)
        and created[0] <= package["CreationTime"] <= created[1]
        and request.get("NameContains", "") in package["ModelPackageName"]
    ]

    def place(package: dict[str, Any]) -> list[Any]:
        return [package[key] for key in keys]

    found.sort(key=place, reverse=order == "Descending")
    if token := request.get("NextToken"):
        last = _opened(token)  # where the page before ended, which may have been deleted since
        found = [item for item in found if (place(item) < last if order == "Descending" else place(item) > last)]
    page = found[:size]
    answer: dict[str, Any] = {
        "ModelPackageSummaryList": [{key: item[key] for key in SUMMARY if key in item} for item in page]
    }
    if len(found) > size:
        answer["NextToken"] = base64.urlsafe_b64encode(json.dumps(place(page[-1])).encode()).decode()
    return answer


def _opened(token: str) -> list[Any]:
    try:
        return list(json.loads(base64.urlsafe_b64decode(token)))
    except ValueError:
        raise InvalidRequestError("NextToken is none that ListModelPackages has given") from None


# ---------------------------------------------------------------- groups


def describe_group(request: dict[str, Any]) -> dict[str, Any]:
    arn = group_arn(request)
    return {**drift._DRIFT_READERS[GROUP][0](arn, {}), "ModelPackageGroupArn": arn}


def delete_group(request: dict[str, Any]) -> dict[str, Any]:
    arn = group_arn(request)
    try:
        delete_resource(arn, {})
    except ValueError as error:
        raise ConflictError(str(error)) from None
    return {}


def delete_resource(physical_id: str, properties: dict[str, Any]) -> None:
    """:raises ValueError: as AWS refuses it, while the group has versions"""
    if _versions(physical_id):
        name = physical_id.rpartition("/")[2]
        raise ValueError(f"ModelPackageGroup {name} cannot be deleted: it still has model packages.")
    groups.pop(physical_id, None)
    cloudformation_configuration._delete(GROUP, physical_id, properties)


def list_tags(request: dict[str, Any]) -> dict[str, Any]:
    group = drift._DRIFT_READERS[GROUP][0](request.get("ResourceArn", ""), {})
    return {"Tags": (group or {}).get("Tags", [])}


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "CreateModelPackage": create,
    "DeleteModelPackage": delete,
    "DeleteModelPackageGroup": delete_group,
    "DescribeModelPackage": describe,
    "DescribeModelPackageGroup": describe_group,
    "ListModelPackages": list_packages,
    "ListTags": list_tags,
    "UpdateModelPackage": update,
}
