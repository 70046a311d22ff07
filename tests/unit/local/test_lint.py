"""`make lint`: every tool is asked, and each of them can fail it."""

from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from local import bootstrap, cli

VALIDATOR = "cloudformation-templates"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that a lint would run, none of which is run."""
    asked: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "install", lambda **_: None)
    monkeypatch.setattr(cli, "_docker_compose", lambda: None)
    monkeypatch.setattr(cli, "_run", lambda command: asked.append([str(word) for word in command]) or 0)
    return asked


@pytest.mark.parametrize("tool", ["check", "--check", "mypy", VALIDATOR, "local.lint.redshift", "sqlfluff", "checkov"])
def test_one_tool_that_finds_something_fails_the_lint(
    tool: str, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_something(command: list[Any]) -> int:
        return int(any(str(word).rpartition("/")[2] == tool for word in command))

    assert CliRunner().invoke(cli.app, ["lint"]).exit_code == 0
    monkeypatch.setattr(cli, "_run", finds_something)
    assert CliRunner().invoke(cli.app, ["lint"]).exit_code == 1


def test_checkov_stays_offline_and_silences_nothing(commands: list[list[str]]) -> None:
    CliRunner().invoke(cli.app, ["lint"])
    checkov = next(command for command in commands if command[0].endswith("checkov"))
    assert "--skip-download" in checkov
    assert not {"--skip-check", "--check", "--soft-fail", "--baseline", "--config-file"} & set(checkov)


def test_pre_commit_asks_the_same_of_templates_and_sql_as_the_lint(commands: list[list[str]]) -> None:
    CliRunner().invoke(cli.app, ["lint"])
    hooks = yaml.safe_load((bootstrap.ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = {hook["id"]: hook["entry"].split() for hook in hooks}
    for hook, word, tool in (
        (VALIDATOR, "-m", VALIDATOR),
        ("checkov", "--directory", "checkov"),
        ("sqlglot", "-m", "local.lint.redshift"),
        ("sqlfluff", "lint", "sqlfluff"),
    ):
        linted = next(command for command in commands if word in command and tool in " ".join(command))
        assert entries[hook][entries[hook].index(word) :] == linted[linted.index(word) :]
