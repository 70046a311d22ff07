"""What a change set would do, as rows to read, and which of them endanger data.

The one home of the types that hold data: the replacement guard refuses to replace or remove them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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

# A new resource of such a type starts empty: what the old one holds is lost, or stays behind outside the stack.
STATEFUL_TYPES = {
    "AWS::Cognito::UserPool": "accounts of users",
    "AWS::DynamoDB::GlobalTable": "items",
    "AWS::DynamoDB::Table": "items",
    "AWS::Glue::Database": "tables of the catalogue",
    "AWS::Glue::Table": "partitions, which say what is published",
    "AWS::KMS::Key": "the only way to read what is encrypted with it",
    "AWS::Kinesis::Stream": "records that nobody has read yet",
    "AWS::Logs::LogGroup": "logs",
    "AWS::RedshiftServerless::Namespace": "the warehouse's tables",
    "AWS::RedshiftServerless::Workgroup": "the warehouse's endpoint, limits and grants",
    "AWS::S3::Bucket": "objects and their versions",
    "AWS::SQS::Queue": "messages, such as events that failed",
    "AWS::SageMaker::ModelPackageGroup": "versions of models",
    "AWS::SecretsManager::Secret": "a value that only its owner knows",
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
