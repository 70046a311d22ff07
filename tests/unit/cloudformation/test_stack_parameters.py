"""Where the values of a template's parameters come from."""

import pytest

from concert_platform.cloudformation import ParameterError, load_template
from concert_platform.cloudformation.templates import Template, parse_template, resolve_parameters, stack_tags
from concert_platform.settings import Settings


@pytest.fixture
def template() -> Template:
    return Template("warehouse", "", {
        "Environment": {"Type": "String"},
        "SubnetIds": {"Type": "String"},
        "Capacity": {"Type": "Number", "Default": 8},
        "ApiKey": {"Type": "String", "NoEcho": True, "Default": "replace-me"},
    })  # fmt: skip


def values(parameters: list[dict]) -> dict[str, object]:
    return {item["ParameterKey"]: item.get("ParameterValue", "previous value") for item in parameters}


def test_a_parameter_takes_the_output_of_its_name(template: Template) -> None:
    found = resolve_parameters(
        template, fixed={"Environment": "staging"}, outputs={"SubnetIds": "subnet-1,subnet-2", "VpcId": "vpc-1"}
    )
    assert values(found) == {"Environment": "staging", "SubnetIds": "subnet-1,subnet-2"}


def test_a_given_value_wins_over_an_output(template: Template) -> None:
    found = resolve_parameters(
        template, fixed={"Environment": "staging", "SubnetIds": "mine"}, outputs={"SubnetIds": "theirs"}
    )
    assert values(found)["SubnetIds"] == "mine"


def test_a_secret_that_nobody_names_keeps_its_value(template: Template) -> None:
    given = {"Environment": "staging", "SubnetIds": "subnet-1"}
    update = resolve_parameters(template, fixed=given, outputs={}, previous=["ApiKey", "Capacity"])
    creation = resolve_parameters(template, fixed=given, outputs={})
    assert values(update)["ApiKey"] == "previous value"
    assert "ApiKey" not in values(creation) and "Capacity" not in values(update)


def test_a_missing_value_names_the_parameter_and_the_remedy(template: Template) -> None:
    with pytest.raises(ParameterError, match=r"needs SubnetIds: deploy the stack that has it as an output"):
        resolve_parameters(template, fixed={"Environment": "staging"}, outputs={})


def test_a_value_for_no_parameter_is_refused(template: Template) -> None:
    with pytest.raises(ParameterError, match="has no parameter Capaciti"):
        resolve_parameters(template, fixed={"Capaciti": "8"}, outputs={})


def test_an_unknown_stack_is_named_with_the_known_ones() -> None:
    with pytest.raises(ParameterError, match="'netwroking' is unknown: choose one of networking, orchestration"):
        load_template("netwroking")


def test_a_template_is_large_by_its_bytes_not_by_its_characters() -> None:
    head = "Parameters: {Name: {Type: String}}\nResources: {A: {Type: AWS::SQS::Queue, Properties: !Sub x}}\n# "
    assert parse_template("some", head).parameters == {"Name": {"Type": "String"}}
    assert not parse_template("some", head + "ö" * 25_000).is_large
    assert parse_template("some", head + "ö" * 25_600).is_large


def test_a_stack_carries_the_four_tags() -> None:
    settings = Settings(environment="staging", account_id="123456789012", region="eu-west-1")
    tags = {tag["Key"]: tag["Value"] for tag in stack_tags(settings, "networking", "tours")}
    assert tags == {
        "Project": "concert-platform", "Environment": "staging", "Stack": "networking", "CostCenter": "tours"
    }  # fmt: skip
