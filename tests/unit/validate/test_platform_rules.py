"""Rules about all templates together, each tripped once, and the values that a template gets in an environment."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from concert_platform.cloudformation import TEMPLATES
from concert_platform.settings import ENVIRONMENTS
from concert_platform.validate.findings import Finding
from concert_platform.validate.templates import PLATFORM_RULES, check_platform
from concert_platform.validate.templates.document import Document
from concert_platform.validate.templates.parameters import created_resources, values_in
from concert_platform.validate.templates.platform import LEAST_RESOURCES
from concert_platform.validate.templates.suppressions import CONFIGURATION_FILES, MOST_SUPPRESSIONS
from tests.unit.validate.example import GOOD

QUEUES = "".join(f"  Queue{number}: {{Type: AWS::SQS::Queue}}\n" for number in range(LEAST_RESOURCES))
NETWORKING = f"Resources:\n{QUEUES}Outputs:\n  VpcId: {{Value: x}}\n"
DAYS = "Parameters: {Days: {Type: Number, MinValue: 1, MaxValue: 365}}\n"


def findings(
    templates: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    folders: Sequence[Path] = (),
) -> list[Finding]:
    """What is found when these templates, and empty ones for the rest, meet these values in every environment."""
    texts = {**dict.fromkeys(TEMPLATES, "Resources: {}"), "networking": NETWORKING, **(templates or {})}
    file = json.dumps({"stacks": values or {}}, indent=2)
    return check_platform(
        [Document.parse(name, text) for name, text in texts.items()],
        [Document.parse(name, file, f"{name}.json") for name in ENVIRONMENTS],
        folders,
    )


def rules_and_places(found: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.rule, finding.place) for finding in found}


def test_a_small_platform_breaks_no_rule() -> None:
    assert findings() == []


def test_an_output_name_of_two_stacks_is_found() -> None:
    found = findings({"tracing": "Outputs:\n  VpcId: {Value: y}\n"})
    assert rules_and_places(found) == {("output-name", "tracing.yaml:2")}
    assert found[0].message == "output VpcId of tracing is also one of networking"


def test_every_stack_has_the_output_template_version() -> None:
    version = "Outputs: {TemplateVersion: {Value: '1'}}"
    assert findings({"tracing": version, "chatbot": version}) == []


@pytest.mark.parametrize("parameter", ["VpcId", "Environment", "ArtifactsPrefix"])
def test_outputs_of_earlier_stacks_and_the_deployment_fill_parameters(parameter: str) -> None:
    assert findings({"chatbot": f"Parameters: {{{parameter}: {{Type: String}}}}"}) == []


def test_a_parameter_that_nothing_fills_is_found_in_each_environment() -> None:
    found = findings({"chatbot": DAYS})
    assert rules_and_places(found) == {("parameter-filled", "chatbot.yaml:1")}
    assert {finding.message.rpartition(" ")[2] for finding in found} == set(ENVIRONMENTS)


def test_an_output_of_a_later_stack_fills_nothing() -> None:
    found = findings({"chatbot": "Parameters: {Late: {Type: String}}", "tracing": "Outputs: {Late: {Value: x}}"})
    assert {finding.rule for finding in found} == {"parameter-filled"}


@pytest.mark.parametrize(
    ("stack", "parameter", "value", "message"),
    [
        ("chatbot", "Days", "0", "Days of chatbot in staging is '0': outside of 1..365"),
        ("chatbot", "Days", "ten", "Days of chatbot in staging is 'ten', which is no number"),
        ("tracing", "Days", "1", "template tracing has no parameter Days"),
        ("elsewhere", "Days", "1", "staging has values for elsewhere, which is no stack"),
    ],
)
def test_a_value_that_its_parameter_refuses_is_found(stack: str, parameter: str, value: str, message: str) -> None:
    found = findings({"chatbot": DAYS.replace("1,", "1, Default: 9,")}, {stack: {parameter: value}})
    assert {finding.rule for finding in found} == {"parameter-value"}
    assert message in [finding.message for finding in found]
    assert {finding.where for finding in found} == {f"{name}.json" for name in ENVIRONMENTS}


def test_the_suppressions_of_all_templates_are_counted_together() -> None:
    def skips(count: int) -> str:
        entries = ", ".join(f"{{id: CKV_AWS_{number}, comment: x}}" for number in range(count))
        return f"Resources: {{Q: {{Type: AWS::SQS::Queue, Metadata: {{checkov: {{skip: [{entries}]}}}}}}}}"

    assert findings({"chatbot": skips(MOST_SUPPRESSIONS - 5), "tracing": skips(5)}) == []
    found = findings({"chatbot": skips(MOST_SUPPRESSIONS - 5), "tracing": skips(6)})
    assert rules_and_places(found) == {("suppression-count", "tracing.yaml:1")}


@pytest.mark.parametrize("name", CONFIGURATION_FILES)
def test_a_configuration_file_of_a_linter_is_found(name: str, tmp_path: Path) -> None:
    assert findings(folders=[tmp_path]) == []
    (tmp_path / name).touch()
    assert rules_and_places(findings(folders=[tmp_path])) == {("lint-configuration", str(tmp_path / name))}


def test_a_platform_that_lost_a_resource_is_found() -> None:
    found = findings({"networking": NETWORKING.replace("  Queue0: {Type: AWS::SQS::Queue}\n", "")})
    assert rules_and_places(found) == {("resource-count", "development.json:1")}
    assert f"{LEAST_RESOURCES - 1} resources in development are fewer than {LEAST_RESOURCES}" in found[0].message


def test_a_resource_whose_condition_does_not_hold_is_not_counted() -> None:
    conditional = NETWORKING.replace("Queue0: {", "Queue0: {Condition: Never, ")
    never = "Conditions: {Never: !Equals [a, b]}\n"
    assert {finding.rule for finding in findings({"networking": never + conditional})} == {"resource-count"}


def test_resources_of_orchestration_do_not_count() -> None:
    found = findings(
        {"networking": "Outputs: {VpcId: {Value: x}}", "orchestration": NETWORKING.split("Outputs", maxsplit=1)[0]}
    )
    assert [finding.rule for finding in found] == ["resource-count"]


def test_every_rule_about_the_platform_is_tripped_above() -> None:
    assert {rule.id for rule in PLATFORM_RULES} == {
        "output-name", "parameter-filled", "parameter-value", "lint-configuration", "suppression-count",
        "resource-count",
    }  # fmt: skip


@pytest.mark.parametrize(("environment", "role"), [("development", False), ("production", True)])
def test_an_environments_conditions_decide_what_is_created(environment: str, role: bool) -> None:
    document, file = Document.parse("example", GOOD), Document.parse(environment, "stacks: {}")
    assert ("Role" in created_resources(document, values_in(document, file, []))) is role


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("!Equals [!Ref Email, '']", False),  # an output of another stack: there is some value
        ("!Not [!Equals [!Ref Email, '']]", True),
        ("!Equals [!Ref Count, '2']", True),  # from the parameter file
        ("!Equals [!Ref Colour, red]", True),  # the default
        ("!And [!Condition Right, !Not [!Condition Wrong]]", True),
        ("!Or [!Condition Wrong, !Condition Wrong]", False),
        ("!Equals [!Ref 'AWS::Region', us-east-1]", True),
        ("!Equals [!FindInMap [Sizes, !Ref Environment, zones], 2]", True),
        ("!Condition Missing", False),
        ("!Condition Asked", False),
    ],
)
def test_conditions_are_evaluated_as_cloudformation_does(condition: str, holds: bool) -> None:
    document = Document.parse("example", f"""\
Parameters: {{Environment: {{}}, Email: {{}}, Count: {{}}, Colour: {{Default: red}}}}
Mappings: {{Sizes: {{staging: {{zones: 2}}}}}}
Conditions: {{Right: !Equals [a, a], Wrong: !Equals [a, b], Asked: {condition}}}
Resources: {{Queue: {{Type: AWS::SQS::Queue, Condition: Asked}}}}
""")  # fmt: skip
    file = Document.parse("staging", "stacks: {example: {Count: 2}}")
    assert created_resources(document, values_in(document, file, ["Email"])) == (["Queue"] if holds else [])
