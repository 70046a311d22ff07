"""A stack that is created anew takes back what its predecessor left: retained resources are imported first.

CloudFormation creates no stack over resources that exist, and an import may do nothing but import. So a new stack with
retained resources comes in two steps, each a reviewed change set: one of type IMPORT whose template holds them alone,
without properties that lead to anything else, then the update to the whole template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from concert_platform.cloudformation.changes import IMPORT
from concert_platform.cloudformation.documents import UnknownValueError, Values, parse_document, references
from concert_platform.cloudformation.errors import ChangeSetError
from concert_platform.cloudformation.ownership import objection
from concert_platform.cloudformation.stateful import ALIAS, KEY, KINDS, RETAINING, Clients
from concert_platform.cloudformation.templates import LARGEST_INLINE_TEMPLATE, Template
from concert_platform.settings import Settings

# Sections that a part of a template may refer to. An import takes neither outputs nor tags.
KEPT_SECTIONS = ("AWSTemplateFormatVersion", "Conditions", "Mappings", "Parameters")
ANOTHER_STACK = "already exists in stack"  # CloudFormation's words
KEPT_ATTRIBUTES = ("Type", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Properties")


@dataclass(frozen=True)
class Retained:
    """A resource that a template retains and that exists.

    :param name: what the template calls it: a bucket's name, the alias of a key
    :param identifier: what CloudFormation imports it by
    :param obstacle: why it is left alone: it is not, or not clearly, the platform's; empty when it is
    :param ending: why it cannot be imported although it is the platform's: its deletion has begun
    """

    stack: str
    logical_id: str
    type: str
    name: str
    identifier: str
    obstacle: str = ""
    ending: str = ""

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type.removeprefix('AWS::')} {self.name})"

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def find_retained(
    clients: Clients, settings: Settings, template: Template, parameters: Mapping[str, str]
) -> list[Retained]:
    """Which resources that a template retains exist under their names, whether or not its stack does.

    :param parameters: values as far as they are known; enough for names and conditions
    """
    document = parse_document(template.body)
    values = Values(document, {**_pseudo_parameters(settings, template.name), **parameters})
    found = []
    for logical_id, resource in document["Resources"].items():
        kind = KINDS.get(resource["Type"])
        if kind is None or resource.get("DeletionPolicy") not in RETAINING:
            continue
        try:
            if not values.holds(resource.get("Condition")):
                continue
            name = str(values.of(_name_of(document, logical_id)))
        except UnknownValueError:
            continue  # without a name of its own it is in nobody's way
        there = kind.find(clients, name)
        if there is not None:
            # A name may be anybody's: a table of another stack, an alias that leads to another key by now.
            stack = settings.stack(template.name)
            why = there.obstacle or objection(clients, settings, stack, resource["Type"], there.identifier)
            found.append(Retained(stack, logical_id, resource["Type"], name, there.identifier, why, there.ending))
    return found


def to_import(clients: Clients, settings: Settings, template: Template, request: Mapping[str, Any]) -> list[Retained]:
    """What an earlier life of a new stack has left behind, and the new one takes back.

    :param request: arguments of CreateChangeSet for the whole template, without name
    :raises ChangeSetError: with the resources that stand in the way, when they cannot be imported
    """
    given = {item["ParameterKey"]: item.get("ParameterValue", "") for item in request["Parameters"]}
    found = find_retained(clients, settings, template, given)
    if blocked := [f"{item} {why}" for item in found if (why := item.obstacle or item.ending)]:
        raise ChangeSetError(f"stack {request['StackName']} cannot be created: {'; '.join(blocked)}")
    return found


def import_request(template: Template, request: Mapping[str, Any], found: list[Retained]) -> dict[str, Any]:
    """Arguments of CreateChangeSet for the import; once it is executed, the whole template is an update.

    :param request: the ones for the whole template
    :raises ChangeSetError: when the import would be too large
    """
    body = json.dumps(import_template(template.body, {item.logical_id for item in found}), separators=(",", ":"))
    if len(body.encode()) > LARGEST_INLINE_TEMPLATE:
        raise ChangeSetError(f"the retained resources of {template.name} make a template that is too large to import")
    kept = {key: request[key] for key in ("StackName", "Parameters", "Capabilities", "RoleARN") if key in request}
    return {
        **kept,
        "ChangeSetType": IMPORT,
        "TemplateBody": body,
        "ResourcesToImport": [
            {
                "ResourceType": item.type,
                "LogicalResourceId": item.logical_id,
                "ResourceIdentifier": {KINDS[item.type].identifier: item.identifier},
            }
            for item in found
        ],
    }


def not_imported(found: Sequence[Retained], reason: str) -> str:
    said = f"{', '.join(map(str, found))} cannot be imported: {reason}"
    if ANOTHER_STACK in reason:  # it came in between: what another stack holds is not ours to delete
        return f"{said}; rename it, or let that stack go"
    return f"{said}; import by hand, or trigger tear_down_infrastructure with delete_data to delete what is retained"


def import_template(body: str, wanted: set[str]) -> dict[str, Any]:
    """The part of a template that an import of some of its resources may hold.

    A property that leads to a resource outside is left out; the update to the whole template sets it.
    """
    document = parse_document(body)
    outside = set(document["Resources"]) - wanted
    reduced = {name: document[name] for name in KEPT_SECTIONS if name in document}
    reduced["Resources"] = {
        logical_id: {
            **{key: value for key, value in resource.items() if key in KEPT_ATTRIBUTES},
            "Properties": {
                name: value
                for name, value in (resource.get("Properties") or {}).items()
                if outside.isdisjoint(references(value))
            },
        }
        for logical_id, resource in document["Resources"].items()
        if logical_id in wanted
    }
    return reduced


def _name_of(document: Mapping[str, Any], logical_id: str) -> Any:
    """What names a resource: a property, or for a key the name of its alias.

    :raises UnknownValueError: when CloudFormation makes up the name
    """
    resources = document["Resources"]
    if resources[logical_id]["Type"] == KEY:
        logical_id = next(
            (
                name
                for name, resource in resources.items()
                if resource["Type"] == ALIAS and logical_id in references(resource["Properties"]["TargetKeyId"])
            ),
            logical_id,
        )
    resource = resources[logical_id]
    try:
        return resource["Properties"][KINDS[resource["Type"]].name]
    except KeyError:
        raise UnknownValueError(logical_id) from None


def _pseudo_parameters(settings: Settings, name: str) -> dict[str, str]:
    return {
        "AWS::AccountId": settings.account_id,
        "AWS::Partition": "aws",
        "AWS::Region": settings.region,
        "AWS::StackName": settings.stack(name),
        "AWS::URLSuffix": "amazonaws.com",
    }
