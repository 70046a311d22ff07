"""Reads the templates as CloudFormation would: names and ARNs filled in, policies as lists of what they allow."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from concert_platform.cloudformation.documents import parse_document
from concert_platform.cloudformation.templates import TEMPLATES, environment_file
from concert_platform.settings import Settings

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "include" / "cfn"
# Per type: the calls that AWS makes to create, change and delete it, and the ARN that they are checked against.
CALLS: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "local/extensions/deployment_calls.yaml").read_text())
SETTINGS = Settings(environment="staging", account_id="123456789012", region="eu-west-1")
KNOWN = {
    "Environment": "staging",
    "ArtifactsPrefix": "artifacts/0123456789abcdef",
    "AWS::AccountId": SETTINGS.account_id,
    "AWS::Partition": "aws",
    "AWS::Region": SETTINGS.region,
}
NAMES = ("BucketName", "FunctionName", "QueueName", "TableName", "LogGroupName", "Name")  # what Ref returns
NAMED_BY_ARN = ("AWS::IAM::ManagedPolicy", "AWS::SNS::Topic")
FUNCTION = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


class Grant(NamedTuple):
    """One Allow of one action on one resource pattern."""

    action: str
    resource: str
    condition: dict[str, Any]


@cache
def read(name: str) -> dict[str, Any]:
    return parse_document((FOLDER / f"{name}.yaml").read_text())


def resources(name: str) -> dict[str, dict[str, Any]]:
    return read(name)["Resources"]


def at(value: Any, path: list[str]) -> list[Any]:
    """Every value at a path, through the lists on the way."""
    if isinstance(value, list):
        return [found for item in value for found in at(item, path)]
    if not path:
        return [value]
    return at(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class Reader:
    """Values of one template in staging; what only AWS makes up is called after its logical id."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.resources = resources(name)
        defaults = {key: spec["Default"] for key, spec in read(name)["Parameters"].items() if "Default" in spec}
        self.known = {**defaults, **_outputs_before(name), **environment_file("staging")["stacks"][name], **KNOWN}

    def of(self, value: Any) -> Any:
        match value:
            case {"Fn::Sub": str(text)}:
                return FUNCTION.sub(lambda found: str(self._named(found[1])), text)
            case {"Ref": name}:
                return self._named(name)
            case {"Fn::GetAtt": [name, *path]}:
                return self._named(".".join([name, *path]))
            case {"Fn::Join": [between, parts]}:
                return between.join(str(self.of(part)) for part in parts)
            case dict():
                return {key: self.of(item) for key, item in value.items()}
            case list():
                return [self.of(item) for item in value]
        return value

    def arn(self, logical_id: str) -> str:
        resource = self.resources[logical_id]
        rule = CALLS[resource["Type"]]
        service = rule["create"][0].partition(":")[0]
        place = f"arn:aws:{service}:{SETTINGS.region}:{SETTINGS.account_id}"
        return self.fill(resource, rule["arn"]).replace("~", place)

    def fill(self, resource: dict[str, Any], pattern: str) -> str:
        """A pattern of CALLS with a resource's own properties."""
        values = {**self.of(resource.get("Properties", {})), "account": SETTINGS.account_id, "region": SETTINGS.region}
        values["queue"] = next(iter(values.get("Queues", [])), "")
        values["scope"] = "global" if values.get("Scope") == "CLOUDFRONT" else "regional"
        return pattern.format_map(_Named({key: _Named(item) if isinstance(item, dict) else item
                                          for key, item in values.items()}))  # fmt: skip

    def _named(self, name: str) -> Any:
        logical_id, _, attribute = name.partition(".")
        if name in self.known:
            return self.known[name]
        if logical_id not in self.resources:
            return name
        if attribute.endswith("Arn") or self.resources[logical_id]["Type"] in NAMED_BY_ARN:
            return self.arn(logical_id)
        properties = self.resources[logical_id].get("Properties", {})
        properties = {**properties, **properties.get("DatabaseInput", {}), **properties.get("ConnectionInput", {})}
        own = [key for key in NAMES if key in properties]
        return self.of(properties[own[0]]) if own and not attribute else f"{logical_id}{attribute}"

    def policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Policies that grant something to a role, with the logical id they belong to."""
        for logical_id, item in self.resources.items():
            properties = item.get("Properties", {})
            if item["Type"] == "AWS::IAM::ManagedPolicy":
                yield logical_id, properties["PolicyDocument"]
            for policy in properties.get("Policies", []) if item["Type"] == "AWS::IAM::Role" else []:
                yield logical_id, policy["PolicyDocument"]

    def grants(self, start: str = "") -> list[Grant]:
        """What the policies of this template allow whose logical id starts with `start`; the ceiling grants nothing."""
        return [
            grant
            for logical_id, document in self.policies()
            if logical_id.startswith(start) and logical_id != "PermissionsBoundary"
            for statement in document["Statement"]
            for grant in self.allowed(statement)
        ]

    def allowed(self, statement: dict[str, Any]) -> list[Grant]:
        if statement["Effect"] != "Allow":
            return []
        condition = self.of(statement.get("Condition", {}))
        return [
            Grant(action, self.of(resource), condition)
            for action in listed(statement.get("Action", []))
            for resource in listed(statement["Resource"])
        ]


class _Named(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "unnamed"


@cache
def _outputs_before(name: str) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    for other in TEMPLATES[: TEMPLATES.index(name)]:
        reader = Reader(other)
        outputs |= {key: reader.of(item["Value"]) for key, item in read(other)["Outputs"].items()}
    return outputs


def covers(pattern: str, wanted: str) -> bool:
    """Whether an IAM pattern covers an ARN, or all that another pattern stands for."""
    return fnmatchcase(wanted.replace("*", "any"), pattern) if wanted != "*" else pattern == "*"
