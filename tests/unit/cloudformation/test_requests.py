"""What CreateChangeSet is asked for."""

import json
from typing import Any

import pytest

from concert_platform.cloudformation import MissingOutputError, request
from concert_platform.cloudformation.documents import parse_document
from concert_platform.cloudformation.request import bucket_template, change_set_request, is_part
from concert_platform.cloudformation.templates import parse_template
from concert_platform.settings import Settings

TEMPLATES = {
    "networking": "Outputs: {VpcId: {Value: v}, SubnetId: {Value: s}}\n",
    "orchestration": "Outputs: {CloudFormationRoleArn: {Value: r}}\n",
    "storage-processing": "Parameters: {Environment: {Type: String}, VpcId: {Type: String}, Days: {Type: Number}}\n",
}


class Stack:
    def __init__(self, name: str, status: str) -> None:
        self.name, self._status = name, status

    def status(self) -> str:
        return self._status

    def parameter_names(self) -> list[str]:
        return []


class Deployment:
    """As far as a request looks at it."""

    settings = Settings("staging", "123456789012", "eu-west-1")

    def __init__(self, status: str = "MISSING", **outputs: dict[str, str]) -> None:
        self._status, self._outputs = status, outputs

    def stack(self, name: str) -> Stack:
        return Stack(self.settings.stack(name), self._status)

    def outputs(self, name: str) -> dict[str, str]:
        return self._outputs.get(name, {})


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    file = {"CostCenter": "tours", "stacks": {"storage-processing": {"Days": "30"}}}
    monkeypatch.setattr(request, "environment_file", lambda _: file)
    monkeypatch.setattr(request, "load_template", lambda name: parse_template(name, TEMPLATES[name]))

    def asked(deployment: Any) -> dict[str, Any]:
        template = parse_template("storage-processing", TEMPLATES["storage-processing"])
        return change_set_request(deployment, template, {"ArtifactsPrefix": "of no use here"})

    return asked


def test_a_new_stack_is_created_through_the_role_with_outputs_and_values_of_its_environment(ask: Any) -> None:
    role = "arn:aws:iam::123456789012:role/deploys"
    asked = ask(Deployment(networking={"VpcId": "vpc-1"}, orchestration={"CloudFormationRoleArn": role}))
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in asked["Parameters"]}
    assert parameters == {"Days": "30", "Environment": "staging", "VpcId": "vpc-1"}
    assert (asked["ChangeSetType"], asked["RoleARN"]) == ("CREATE", role)


def test_a_stack_under_review_was_never_created_and_one_that_was_imported_is_updated(ask: Any) -> None:
    outputs = {"networking": {"VpcId": "vpc-1"}}
    assert ask(Deployment("REVIEW_IN_PROGRESS", **outputs))["ChangeSetType"] == "CREATE"
    assert ask(Deployment("IMPORT_COMPLETE", **outputs))["ChangeSetType"] == "UPDATE"


def test_an_output_that_is_not_there_yet_names_the_stack_that_has_it(ask: Any) -> None:
    with pytest.raises(MissingOutputError) as caught:
        ask(Deployment())
    assert str(caught.value) == (
        "template storage-processing needs VpcId: deploy networking as its template is now first"
    )


def test_a_request_that_holds_the_whole_template_is_no_part() -> None:
    template = parse_template("orchestration", "Resources: {}")
    assert is_part(template, {"TemplateBody": "{}"})
    assert not is_part(template, {"TemplateBody": template.body})
    assert not is_part(template, {"TemplateURL": "https://s3/some-template"})


def test_the_bucket_of_a_large_orchestration_template_comes_alone_and_needs_nothing_else() -> None:
    body = """
Parameters: {Environment: {Type: String}}
Resources:
  Key: {Type: AWS::KMS::Key}
  EnvironmentBucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {BucketName: !Sub 'a-${Environment}', BucketEncryption: {Key: !GetAtt Key.Arn}}
Outputs: {KeyArn: {Value: !GetAtt Key.Arn}}
"""
    part = json.loads(bucket_template(body))
    assert part["Resources"]["EnvironmentBucket"]["Properties"] == {"BucketName": {"Fn::Sub": "a-${Environment}"}}
    assert list(part["Resources"]) == ["EnvironmentBucket"]
    assert part["Outputs"] == {"EnvironmentBucketName": {"Value": {"Ref": "EnvironmentBucket"}}}
    assert parse_document(bucket_template(body)) == part
