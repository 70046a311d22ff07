"""Stacks of small templates under names of their own, deployed by the library as its operators do it."""

import boto3
import pytest

from concert_platform.cloudformation import Deployment, deployment, request, teardown
from concert_platform.cloudformation.templates import Template, parse_template
from concert_platform.settings import Settings
from tests.contract.conftest import Emulator

PARAMETERS = "Parameters: {Environment: {Type: String}}\n"


class ScratchSettings(Settings):
    """Names of the development environment, but for its stacks."""

    def stack(self, name: str) -> str:
        return f"{super().stack(name)}-scratch"


SETTINGS = ScratchSettings("development", "000000000000", "us-east-1")


def log_in(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Let boto3 clients of this process work with the credentials of an environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def log_in_as_root(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> None:
    root = {"AWS_ACCESS_KEY_ID": "root-of-tests", "AWS_SECRET_ACCESS_KEY": "secret-of-tests"}
    log_in(monkeypatch, {**emulator.role_environment("unused"), **root})
    monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")


def use_templates(monkeypatch: pytest.MonkeyPatch, bodies: dict[str, str]) -> None:
    """Let small templates stand in for those of include/cfn; a stack that is not named has an empty one."""

    def load(name: str) -> Template:
        return parse_template(name, PARAMETERS + bodies.get(name, "Resources: {}\n"))

    file = {"CostCenter": "tests", "stacks": {}}
    stand_ins = {"load_template": load, "environment_file": lambda _environment: file}
    for module in (deployment, request, teardown):
        for name in stand_ins.keys() & vars(module).keys():
            monkeypatch.setattr(module, name, stand_ins[name])


def deploy(stack: str, run: str = "first") -> dict[str, str]:
    return Deployment(SETTINGS, run=run).deploy(stack)
