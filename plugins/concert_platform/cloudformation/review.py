"""What a change set would do, as rows to read, and which of them endanger data.

The one home of the types that hold data: the replacement guard refuses to replace or remove them, and the validator
asks templates to retain those whose loss has no reason here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from concert_platform.cloudformation.errors import ReplacementRefusedError

Row = Mapping[str, str]

COLUMNS = {
    "action": "ACTION",
    "logical_id": "LOGICAL ID",
    "type": "TYPE",
    "replacement": "REPLACEMENT",
    "scope": "SCOPE",
    "properties": "CHANGED",
}
NOTHING = "-"
REPLACED = ("True", "Conditional")


class Stateful(NamedTuple):
    """A type whose new resource starts empty.

    :param holds: what is lost, or stays behind outside the stack, when a resource is replaced or removed
    :param lost_because: why it may go with its stack; empty for a type that every template has to retain
    """

    holds: str
    lost_because: str = ""


STATEFUL_TYPES = {
    "AWS::Cognito::UserPool": Stateful("accounts of users"),
    "AWS::DynamoDB::Table": Stateful("items"),
    "AWS::Glue::Database": Stateful("tables of the catalogue", "the template makes them again"),
    "AWS::Glue::Table": Stateful(
        "partitions, which say what is published", "the data stays in its bucket, and curate_concerts publishes it anew"
    ),
    "AWS::KMS::Key": Stateful("the only way to read what is encrypted with it"),
    "AWS::Kinesis::Stream": Stateful("records that nobody has read yet"),
    "AWS::Logs::LogGroup": Stateful("logs", "they tell of resources that go with the same stack"),
    "AWS::MWAA::Environment": Stateful(
        "the metadata database: history of runs, variables, connections", "deploy_stacks.sh --destroy is asked for that"
    ),
    "AWS::RedshiftServerless::Namespace": Stateful("the warehouse's tables"),
    "AWS::RedshiftServerless::Workgroup": Stateful(
        "the warehouse's endpoint, limits and grants", "the template makes them again; the tables are the namespace's"
    ),
    "AWS::S3::Bucket": Stateful("objects and their versions"),
    "AWS::SQS::Queue": Stateful(
        "messages, such as events that failed", "copies; each template says beside its queue of what"
    ),
    "AWS::SageMaker::ModelPackageGroup": Stateful("versions of models"),
    "AWS::SecretsManager::Secret": Stateful("a value that only its owner knows"),
}
# Whatever its type, a template that retains a resource says that it holds data.
RETAINING_POLICIES = ("Retain", "Snapshot", "ReplaceAndRetain", "ReplaceAndSnapshot")


def summarize(changes: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Rows of a change set's ``Changes``, in CloudFormation's order."""
    return [_row(change["ResourceChange"]) for change in changes if "ResourceChange" in change]


def _row(change: Mapping[str, Any]) -> dict[str, str]:
    targets = [detail["Target"] for detail in change.get("Details", []) if "Target" in detail]
    named = [target for target in targets if target.get("Name")]
    return {
        "action": change["Action"],
        "logical_id": change["LogicalResourceId"],
        "type": change["ResourceType"],
        "replacement": change.get("Replacement") or NOTHING,
        "scope": _listed(change.get("Scope", [])),
        "properties": _listed(target["Name"] for target in named),
        "recreated_by": _listed(t["Name"] for t in named if t.get("RequiresRecreation", "Never") != "Never"),
        "policy": change.get("PolicyAction") or NOTHING,
        "physical_id": change.get("PhysicalResourceId") or NOTHING,
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or NOTHING


def count_actions(rows: Iterable[Row]) -> str:
    """How many resources are added, modified and so on: ``2 Add, 1 Modify``."""
    actions = [row["action"] for row in rows]
    return ", ".join(f"{actions.count(action)} {action}" for action in sorted(set(actions)))


def dangers(rows: Iterable[Row]) -> list[str]:
    """What would happen to resources that hold data, one phrase a resource, naming the property that causes it."""
    return [phrase for row in rows if _holds_data(row) and (phrase := _danger(row))]


def check_replacements(stack: str, rows: Iterable[Row]) -> None:
    """Let a change set pass only if no resource that holds data is replaced or removed.

    :raises ReplacementRefusedError: with every such resource in one line
    """
    found = dangers(rows)
    if found:
        raise ReplacementRefusedError(
            f"stack {stack}: refused, since it would {'; '.join(found)}; take the change back, or deploy with "
            "allow_replacement once what they hold is saved"
        )


def _holds_data(row: Row) -> bool:
    return row["type"] in STATEFUL_TYPES or row["policy"] in RETAINING_POLICIES


def _danger(row: Row) -> str:
    resource = f"{row['logical_id']} ({row['type']})"
    if row["action"] == "Remove":
        kept = row["policy"] in RETAINING_POLICIES
        return f"remove {resource} from the template{', leaving it behind outside the stack' if kept else ''}"
    if row["action"] == "Dynamic" or row["replacement"] in REPLACED:
        verb = "replace" if row["replacement"] == "True" else "perhaps replace"
        cause = row["recreated_by"] if row["recreated_by"] != NOTHING else "what it refers to"
        return f"{verb} {resource} because of {cause}"
    return ""
