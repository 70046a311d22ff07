"""`python -m concert_platform.validate`: what people and machines get, and the platform's own templates in it."""

import json
import sys
from pathlib import Path

import pytest

from concert_platform import validate
from concert_platform.validate import registry
from concert_platform.validate.__main__ import main
from concert_platform.validate.findings import Finding, ValidatorError, table
from concert_platform.validate.templates import PLATFORM_RULES, TEMPLATE_RULES, linter
from local import bootstrap
from tests.unit.validate.example import GOOD

NAME = "cloudformation-templates"
DOCS = Path(__file__).parents[3] / "docs" / "validators.md"


@pytest.fixture
def broken_file(tmp_path: Path) -> Path:
    path = tmp_path / "example.yaml"
    path.write_text(GOOD.replace("    UpdateReplacePolicy: Retain\n", "").replace("- s3:GetObject", "- s3:Get*"))
    return path


def test_the_platforms_templates_break_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([NAME])
    output = capsys.readouterr().out
    assert (code, output) == (0, f"{NAME}: nothing found\n"), output


def test_a_finding_is_a_row_and_an_exit_code(broken_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([NAME, str(broken_file)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["WHERE", "RULE", "SEVERITY", "WHAT,", "AND", "WHAT", "TO", "DO"]
    assert any(line.startswith(f"{broken_file}:45") and "retention" in line for line in lines)


def test_machines_get_the_same_as_json(broken_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([NAME, str(broken_file), "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    rows = {finding["rule"]: finding for finding in answer["findings"]}
    assert answer["validator"] == NAME
    assert rows["retention"] == {
        "where": str(broken_file),
        "line": 45,
        "rule": "retention",
        "severity": "error",
        "message": "Bucket holds data or keys that go with its stack",
        "remedy": "set DeletionPolicy: RetainExceptOnCreate and UpdateReplacePolicy: Retain",
    }


def test_cfn_lint_reads_the_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Colour: red\n")
    assert main([NAME, str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {("cfn-lint/E3002", 5, "error"), ("cfn-lint/I3011", 2, "info")} <= {
        (finding["rule"], finding["line"], finding["severity"]) for finding in found
    }


@pytest.mark.parametrize(("release", "checks"), [("1.39.0", ["W3037"]), ("1.58.0", []), ("2.0.0rc1", [])])
def test_a_release_is_not_asked_what_it_cannot_know(release: str, checks: list[str]) -> None:
    assert linter.outdated_checks(release) == checks


def test_the_release_of_the_lint_environment_is_asked_everything() -> None:
    pinned = bootstrap.pinned_versions(bootstrap.ROOT / "requirements-dev.txt")["cfn-lint"]
    assert linter.outdated_checks(pinned) == []


def test_the_docs_say_what_differs_between_worker_and_lint() -> None:
    text = DOCS.read_text()
    for name in ("requirements.txt", "requirements-dev.txt"):
        assert f"{bootstrap.pinned_versions(bootstrap.ROOT / name)['cfn-lint']} ({name})" in text
    assert [check for check in linter.COMPLETE_SINCE if f"- {check}, " not in text] == []


def test_a_file_that_is_no_yaml_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text("Resources: [\n")
    assert main([NAME, str(path)]) == 1
    assert "readable" in capsys.readouterr().out


@pytest.mark.parametrize("name", registry.NOT_YET)
def test_a_validator_that_is_not_there_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == f"error: validator {name} does not exist yet: today there is {NAME}\n"


def test_the_eight_validators_are_named() -> None:
    assert len({*registry.VALIDATORS, *registry.NOT_YET}) == 8


def test_an_unknown_validator_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["templates"]) == 2
    assert capsys.readouterr().err == f"error: validator 'templates' is unknown: choose one of {NAME}\n"


def test_an_unknown_stack_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([NAME, "netwroking"]) == 2
    assert capsys.readouterr().err.startswith("error: 'netwroking' is no template file and no stack: choose one of")


def test_the_help_lists_the_validators(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert NAME in capsys.readouterr().out


def test_every_validator_offers_the_protocol() -> None:
    for name in registry.VALIDATORS:
        found = registry.load(name)
        assert found.SUMMARY
        assert callable(found.validate)


def test_without_cfn_lint_nothing_is_called_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cfnlint.config", None)
    with pytest.raises(ValidatorError, match=r"cfn-lint is not installed .*: install requirements\.txt"):
        validate.cloudformation_templates(["networking"])


def test_a_long_message_is_wrapped_below_itself() -> None:
    finding = Finding("a.yaml", 3, "rule", "error", "one two three four five six", "seven eight nine ten eleven twelve")
    lines = table("v", [finding], width=70).splitlines()
    assert lines[2].startswith("a.yaml:3  rule  error     one two")
    assert lines[3] == " " * lines[1].index("WHAT") + lines[3].strip()


def test_every_rule_is_explained_in_the_docs() -> None:
    text = DOCS.read_text()
    ids = [rule.id for rule in (*TEMPLATE_RULES, *PLATFORM_RULES)]
    assert [rule for rule in ids if f"`{rule}`" not in text] == []
