"""What a person at the command line reads when something is wrong: one line, never a traceback."""

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ProfileNotFound

from concert_platform.cloudformation import CloudFormationError, Deployment, __main__, templates
from concert_platform.cloudformation.explanations import explained
from concert_platform.settings import Settings

SETTINGS = Settings("development", "000000000000", "us-east-1")


def refused(code: str, message: str = "No, and\n  no again.") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateChangeSet")


@pytest.mark.parametrize(("error", "line"), [
    (NoCredentialsError(), "AWS was not asked: Unable to locate credentials; sign in to AWS"),
    (ProfileNotFound(profile="x"), "AWS was not asked: The config profile (x) could not be found; check credentials"),
    (EndpointConnectionError(endpoint_url="https://sts.us-east-9.amazonaws.com/"), "check the region's name"),
    (refused("AccessDenied"), "CreateChangeSet failed: AccessDenied: No, and no again; use credentials that may do"),
    (refused("ExpiredToken"), "sign in to AWS"),
    (refused("Throttling"), "AWS asks for patience: run this again in a minute"),
    (refused("LimitExceededException"), "raise the quota"),
    (refused("ValidationError"), "look at the stack's events"),
    (CloudFormationError("stack x\n failed"), "stack x failed"),
])  # fmt: skip
def test_what_went_wrong_is_one_line_with_what_to_do(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_environment: str, _region: str) -> Deployment:
        raise error

    monkeypatch.setattr(__main__, "_deployment", fail)
    assert __main__.main(["outputs", "development", "us-east-1"]) == 1
    [message] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line in message and "\n" not in message


def test_a_mistake_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "_deployment", lambda *_: {}["mistake"])
    assert explained(KeyError("mistake")) == ""
    with pytest.raises(KeyError):
        __main__.main(["outputs", "development", "us-east-1"])


@pytest.mark.parametrize(("body", "path", "line"), [
    ("Resources: {One: [", "include/cfn/networking.yaml", "networking.yaml is no YAML: while parsing"),
    ("just text", "include/cfn/networking.yaml", "networking.yaml is no template: it holds str"),
    ('{"stacks": ', "include/cfn/parameters/development.json", "development.json is no JSON: Expecting value: line 1"),
    ("[]", "include/cfn/parameters/development.json", "development.json has no CostCenter and stacks"),
])  # fmt: skip
def test_a_broken_file_is_named_in_one_line(
    body: str, path: str, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    original = templates.resource
    monkeypatch.setattr(
        templates, "resource", lambda wanted: SimpleNamespace(read_text=lambda: body) if wanted == path
        else original(wanted)
    )  # fmt: skip
    monkeypatch.setattr(__main__, "_deployment", lambda *_: Deployment(SETTINGS, run="one"))
    monkeypatch.setattr(__main__.bootstrap, "deploy", lambda *_, **__: reading())

    def reading() -> None:
        templates.load_template("networking")
        templates.environment_file("development")

    assert __main__.main(["deploy", "development", "us-east-1"]) == 1
    [message] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line in message and "\n" not in message


def test_what_aws_says_of_a_template_is_one_line() -> None:
    class Client:
        def validate_template(self, **_: Any) -> None:
            raise refused("ValidationError")

    deployment = Deployment(SETTINGS, run="one")
    deployment.__dict__["client"] = Client()
    with pytest.raises(CloudFormationError, match=r"^template tracing: No, and no again\.$"):
        deployment.validate("tracing")
