"""Least privilege, seen from a real run: what a role may do is what it did, or what has a reason beside it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.bootstrap import ROOT
from tests.end_to_end.conftest import Checkout

PREFIX = "concert-platform-development-"
TEMPLATES = ROOT / "include" / "cfn"
# Allowed, yet not called by a first run of the main job here: the reason for each, or for a policy as a whole.
FILE = yaml.safe_load(Path(__file__).with_name("allowed_but_not_called.yaml").read_text())
REASONS: dict[str, dict[str, str]] = {name: found for name, found in FILE.items() if "/" not in name}
WHOLE_POLICIES: list[tuple[str, str]] = [tuple(name.split("/")) for name in FILE if "/" in name]
DEPLOYMENT = "cloudformation"  # judged by the resources of the templates: tests/contract/test_cloudformation.py


class Template(yaml.SafeLoader):
    """Reads intrinsic functions as their plain argument: names are all that matters here."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Template.add_multi_constructor("!", _plain)


def _allowed(policy: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            actions = statement.get("Action", [])
            found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def policies() -> dict[str, dict[str, set[str]]]:
    """Role (without the environment's prefix) to its policies, and what each allows."""
    found = {}
    for path in TEMPLATES.glob("*.yaml"):
        resources = yaml.load(path.read_text(), Template)["Resources"]  # noqa: S506 - a SafeLoader
        managed = {
            name: _allowed(resource["Properties"]["PolicyDocument"])
            for name, resource in resources.items()
            if resource["Type"] == "AWS::IAM::ManagedPolicy"
        }
        for resource in resources.values():
            if resource["Type"] == "AWS::IAM::Role":
                properties = resource["Properties"]
                inline = {policy["PolicyName"]: _allowed(policy["PolicyDocument"])
                          for policy in properties.get("Policies", [])}  # fmt: skip
                # One that has a condition is [condition, name, none].
                attached = [
                    name if isinstance(name, str) else name[1] for name in properties.get("ManagedPolicyArns", [])
                ]
                role = properties["RoleName"].replace("concert-platform-${Environment}-", "")
                found[role] = inline | {name: managed[name] for name in attached}
    return found


def roles(*, without: Iterable[tuple[str, str]] = ()) -> dict[str, set[str]]:
    """Role to what its policies allow.

    :param without: role and policy; what only such a policy allows is left out
    """
    return {
        role: set().union(*(actions for name, actions in found.items() if (role, name) not in without))
        for role, found in policies().items()
    }


@pytest.fixture(scope="module")
def called(first_calls: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for call in first_calls:
        found.setdefault(call["role"].removeprefix(PREFIX), set()).add(f"{call['service']}:{call['action']}")
    return found


@pytest.mark.end_to_end
@pytest.mark.parametrize("role", sorted(set(roles()) - {DEPLOYMENT}))
def test_a_role_may_do_only_what_it_does_or_what_has_a_reason(role: str, called: dict[str, set[str]]) -> None:
    unexplained = roles(without=WHOLE_POLICIES)[role] - called.get(role, set()) - set(REASONS.get(role, {}))
    assert unexplained == set()


@pytest.mark.parametrize("role", sorted(REASONS))
def test_no_reason_outlives_its_permission(role: str) -> None:
    assert set(REASONS[role]) <= roles()[role]


@pytest.mark.parametrize(("role", "policy"), WHOLE_POLICIES)
def test_no_reason_outlives_its_policy(role: str, policy: str) -> None:
    assert policies()[role][policy]


@pytest.mark.end_to_end
def test_nothing_of_the_main_path_was_refused_or_only_stored(first_calls: list[dict[str, Any]]) -> None:
    own = [call for call in first_calls if call["role"].startswith(PREFIX)]
    assert {call["role"].removeprefix(PREFIX) for call in own} >= {
        "airflow-execution",
        "glue-job",
        "warehouse",
        "training",
    }
    assert [call for call in own if call["outcome"] != "executed"] == []


@pytest.mark.end_to_end
def test_the_call_log_is_written_for_people_too(checkout: Checkout, first_calls: list[dict[str, Any]]) -> None:
    written = json.loads((checkout.state / "aws-calls.json").read_text())["calls"]
    assert {"service", "action", "role", "outcome", "count"} == set(written[0])
    last = {"service": "cloudformation", "action": "DescribeStacks", "role": "root", "outcome": "executed"}
    assert any(last.items() <= call.items() for call in first_calls), "what `run` asks at its end is in the file too"
