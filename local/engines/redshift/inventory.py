"""The namespaces and workgroups of Redshift Serverless, for the services that create and use them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

DEFAULT_DATABASE = "dev"


@dataclass
class Namespace:
    """:param document: the API's own form (namespaceName, dbName, iamRoles, ...)"""

    document: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.document["namespaceName"])

    @property
    def database(self) -> str:
        return str(self.document["dbName"])

    @property
    def roles(self) -> list[str]:
        return list(self.document["iamRoles"])

    @property
    def default_role(self) -> str | None:
        return self.document.get("defaultIamRoleArn")


@dataclass
class Workgroup:
    """:param document: the API's own form (workgroupName, namespaceName, endpoint, ...)"""

    document: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.document["workgroupName"])

    @property
    def arn(self) -> str:
        return str(self.document["workgroupArn"])


namespaces: dict[str, Namespace] = {}
workgroups: dict[str, Workgroup] = {}


def workgroup(name: str) -> Workgroup | None:
    """By its name or, as the Data API allows, its ARN."""
    return workgroups.get(name) or next((found for found in workgroups.values() if found.arn == name), None)


def namespace_of(found: Workgroup) -> Namespace:
    return namespaces[found.document["namespaceName"]]


def tagged(arn: str) -> Namespace | Workgroup | None:
    """What an ARN names."""
    everything: list[Namespace | Workgroup] = [*namespaces.values(), *workgroups.values()]
    return next(
        (one for one in everything if arn in (one.document.get("namespaceArn"), one.document.get("workgroupArn"))), None
    )


def clear() -> None:
    namespaces.clear()
    workgroups.clear()


def state() -> dict[str, Any]:
    return {
        "namespaces": [asdict(one) for one in namespaces.values()],
        "workgroups": [asdict(one) for one in workgroups.values()],
    }


def restore(data: dict[str, Any]) -> None:
    clear()
    for document in data.get("namespaces", []):
        found = Namespace(**document)
        namespaces[found.name] = found
    for document in data.get("workgroups", []):
        group = Workgroup(**document)
        workgroups[group.name] = group
