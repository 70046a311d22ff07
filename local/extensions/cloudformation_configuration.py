"""Types that are only configuration: their properties are kept, and nothing on this machine acts on them.

One handler for all, driven by AWS's resource schemas: what identifies a resource, which change replaces it, which
attributes it has; configuration_types.yaml lists them with the form of their identifiers. Rules of security groups are
the exception: they take effect in their group, where DescribeSecurityGroups and drift detection see them.
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from ministack.core.responses import get_account_id, get_region, now_iso
from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from local.extensions import resource_schemas

Properties = dict[str, Any]


SHAPES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "configuration_types.yaml").read_text())
RULES = ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
STATE = "cloudformation_configuration"
# "type|physical id" -> properties, attributes, identifier, and what they come from
_resources: dict[str, dict[str, Any]] = {}


class _Values(dict[str, Any]):
    """Properties for a pattern; one that the template leaves out has the generated name."""

    def __missing__(self, key: str) -> Any:
        return self["generated"]


def _find(properties: Mapping[str, Any], dotted: str) -> Any:
    value: Any = properties
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _identify(kind: str, record: dict[str, Any]) -> str:
    """Fill in what Fn::GetAtt returns and return what Ref does: the same for a record whatever else changes in it."""
    shape, properties = SHAPES[kind], record["properties"]
    known = {"generated": record["generated"], "account": get_account_id(), "region": get_region(),
             "now": record["created"]}  # fmt: skip
    nested = {key: _Values(known | value) for key, value in properties.items() if isinstance(value, dict)}
    values = _Values(properties | nested | known)
    record["attributes"] = {}
    for name, pattern in shape.get("attributes", {}).items():
        digest = hashlib.sha256(f"{record['seed']}:{name}".encode()).hexdigest()
        octets = ".".join(str(byte) for byte in bytes.fromhex(digest[:6]))
        values |= {"hex": digest, "octets": octets, "uuid": uuid.UUID(digest[:32], version=4)}
        value = pattern.replace("~", f"arn:aws:{kind.split('::')[1].lower()}").format_map(values)
        record["attributes"][name] = values[name] = value
    keys = resource_schemas.names(kind, "primaryIdentifier")
    record["identifier"] = [str(_find(values, key) or record["generated"]) for key in keys]
    return shape.get("ref", "").format_map(values) or "|".join(record["identifier"])


def _refuse_duplicate(kind: str, physical_id: str, properties: Properties) -> None:
    """:raises ValueError: in CloudFormation's words, when AWS would refuse the creation"""
    wanted = [_find(properties, name) for name in SHAPES[kind].get("unique", [])]
    for other in _of_type(kind).values():
        if any(wanted) and wanted == [_find(other["properties"], name) for name in SHAPES[kind].get("unique", [])]:
            physical_id = "|".join(map(str, wanted))
        elif f"{kind}|{physical_id}" not in _resources:
            continue
        raise ValueError(f"Resource of type '{kind}' with identifier '{physical_id}' already exists.")


def _of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {key.partition("|")[2]: record for key, record in _resources.items() if key.startswith(f"{kind}|")}


def _rules(kind: str, properties: Properties) -> tuple[list[Properties], list[Properties]]:
    """The rules of a security group, and the one among them that is a resource of its own."""
    group = ec2._security_groups.get(properties["GroupId"])
    if group is None:
        raise ValueError(f"The security group '{properties['GroupId']}' does not exist")
    section = "IpPermissions" if kind.endswith("Ingress") else "IpPermissionsEgress"
    return group.setdefault(section, []), provisioners._ec2_sg_permissions([properties])


def _create(kind: str, logical_id: str, properties: Properties, stack_name: str) -> tuple[str, dict[str, str]]:
    record: dict[str, Any] = {"seed": uuid.uuid4().hex, "created": now_iso(), "properties": copy.deepcopy(properties),
                              "generated": provisioners._physical_name(stack_name, logical_id)}  # fmt: skip
    physical_id = _identify(kind, record)
    _refuse_duplicate(kind, physical_id, properties)
    if kind in RULES:
        rules, [own] = _rules(kind, properties)
        if own in rules:
            raise ValueError(f"the specified rule already exists in security group {properties['GroupId']}")
        rules.append(own)
    _resources[f"{kind}|{physical_id}"] = record
    return physical_id, record["attributes"]


def _update(kind: str, physical_id: str, old: Properties, new: Properties, _: str) -> tuple[str, dict[str, str]]:
    record = _resources.get(f"{kind}|{physical_id}")
    if record is None:
        raise ValueError(f"Resource of type '{kind}' with identifier '{physical_id}' was not found.")
    if kind in RULES:
        rules, _before = _rules(kind, old)
        provisioners._ec2_sg_reconcile(rules, _before, _rules(kind, new)[1])
    record["properties"] = copy.deepcopy(new)
    _identify(kind, record)
    return physical_id, record["attributes"]


def _delete(kind: str, physical_id: str, properties: Properties) -> None:
    record = _resources.pop(f"{kind}|{physical_id}", None)
    if record and kind in RULES and record["properties"]["GroupId"] in ec2._security_groups:
        rules, own = _rules(kind, record["properties"])
        provisioners._ec2_sg_reconcile(rules, own, [])


def _read(kind: str, physical_id: str, properties: Properties) -> Properties | None:
    """What drift detection compares: the properties, or None for a resource that is gone."""
    record = _resources.get(f"{kind}|{physical_id}")
    if record and kind in RULES:
        rules, [own] = _rules(kind, record["properties"])
        return record["properties"] if own in rules else None
    return record and record["properties"]


def _adopt(kind: str, identifier: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    physical_id = next(key for key, record in _of_type(kind).items()
                       if sorted(record["identifier"]) == sorted(identifier.values()))  # fmt: skip
    return physical_id, _resources[f"{kind}|{physical_id}"]["attributes"]


def _import_problem(kind: str, *values: str) -> str | None:
    if any(record["identifier"] == list(values) for record in _of_type(kind).values()):
        return None
    return f"Resource of type '{kind}' with identifier '{'|'.join(values)}' was not found."


def _handlers(kind: str) -> dict[str, Any]:
    return {
        "create": partial(_create, kind), "update": partial(_update, kind), "delete": partial(_delete, kind),
        "import": partial(_adopt, kind), "read": partial(_read, kind), "import_problem": partial(_import_problem, kind),
    }  # fmt: skip


RESOURCE_TYPES = {kind: _handlers(kind) for kind in SHAPES}


def reset() -> None:
    _resources.clear()


def get_state() -> dict[str, dict[str, Any]]:
    return copy.deepcopy(_resources)


def load_persisted_state(data: dict[str, dict[str, Any]]) -> None:
    _resources.update(data)
