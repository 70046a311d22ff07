"""What is wrong with a template is a finding with a line; what the validator cannot do is exit code 2 and one line."""

import json
from pathlib import Path

import pytest

from concert_platform.validate.__main__ import main
from concert_platform.validate.findings import ValidatorError
from concert_platform.validate.templates import linter
from concert_platform.validate.templates.document import Document, Place
from concert_platform.validate.templates.rule import Hits, template_rule

NAME = "cloudformation-templates"
QUEUE = b"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n"
BUCKET_POLICY = b"Resources:\n  P:\n    Type: AWS::S3::BucketPolicy\n    Properties:\n      Bucket: files\n"

UNREADABLE = {
    "bytes": (b"Resources:\n  Q: \xff\xfe\n", 2),
    "recursive alias": (b"Resources: &all\n  Q: {Type: AWS::SQS::Queue, Properties: *all}\n", 1),
    "alias": (QUEUE + b"Outputs:\n  A: &a {Value: x}\n  B: *a\n", 5),
    "empty": (b"", 1),
    "comment": (b"# text\n", 1),
    "list": (b"- a\n", 1),
    "text": (b"text", 1),
    "tag": (b"a: !!bool maybe\n", 1),
    "deep": (b"a: " + b"[" * 9000, 1),
    "no resources": (b"Outputs: {A: {Value: x}}\n", 1),
    "no resource": (b"Description: x\nResources: {}\n", 2),
    "list of resources": (b"Description: x\nResources: [a]\n", 2),
    "text as metadata": (b"Metadata: text\n" + QUEUE, 1),
    "text as configuration": (QUEUE + b"    Metadata: {cfn-lint: {config: text}}\n", 4),
    "number of checks": (QUEUE + b"    Metadata: {cfn-lint: {config: {ignore_checks: 7}}}\n", 4),
    "text as parameter": (b"Parameters:\n  A: text\n" + QUEUE, 2),
    "half of a JSON file": (b'{"Resources":\n {"Q": ', 2),
}


def run(path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> set[tuple[str, int]]:
    """Rule and line of what is found."""
    path.write_bytes(content)
    assert main([NAME, str(path), "--json"]) == 1
    output = capsys.readouterr()
    assert output.err == ""
    return {(finding["rule"], finding["line"]) for finding in json.loads(output.out)["findings"]}


@pytest.mark.parametrize(("content", "line"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_template_is_a_finding(
    content: bytes, line: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run(tmp_path / "example.yaml", content, capsys)
    # libyaml notices the end of a file on the line behind it.
    assert [at for rule, at in found if rule == "readable" and at in (line, line + 1)]
    assert not [rule for rule, _ in found if rule.startswith("cfn-lint")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BUCKET_POLICY + b"      PolicyDocument: text\n", ("policy-text", 6)),
        (
            BUCKET_POLICY + b"      PolicyDocument:\n        Statement:\n"
            b"          - {Effect: Deny, Principal: '*', Action: 's3:*', Condition: text}\n",
            ("cfn-lint/E3512", 8),
        ),
        (
            b"Parameters:\n  A:\n    Type: Number\n    MinValue: a\n    Default: 3\n" + QUEUE,
            ("parameter-constraints", 4),
        ),
        (b'{"Resources":\n\t{"Q": {"Type": "AWS::SQS::Queue", "Colour": 1}}}\n', ("cfn-lint/E3001", 2)),
    ],
    ids=["text policy", "text condition", "bound", "JSON file"],
)
def test_a_wrong_type_is_a_finding_on_its_line(
    content: bytes, expected: tuple[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in run(tmp_path / "example.yaml", content, capsys)


def test_a_linter_that_fails_has_not_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_runner: object) -> None:
        raise KeyError("two\nlines")

    monkeypatch.setattr("cfnlint.runner.Runner.run", fail)
    path = tmp_path / "example.yaml"
    path.write_bytes(QUEUE)
    message = f"cfn-lint cannot read {path}: KeyError: 'two\\nlines'"
    assert main([NAME, str(path), "--json"]) == 2
    output = capsys.readouterr()
    assert output.err == f"error: {message}\n"
    assert json.loads(output.out) == {"validator": NAME, "error": message}


def test_the_file_on_which_the_linter_fails_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_bytes(QUEUE)
    bad.write_bytes(b"Metadata: text\n" + QUEUE)
    with pytest.raises(ValidatorError, match=r"^cfn-lint cannot read bad: "):
        linter.lint([(good, "good"), (bad, "bad"), (good, "again")])


def test_a_file_that_cannot_be_opened_is_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "example.yaml"
    path.touch()

    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert main([NAME, str(path)]) == 2
    assert capsys.readouterr().err == f"error: {path} cannot be read: Permission denied\n"


def test_a_rule_that_fails_has_not_looked() -> None:
    @template_rule("faulty", "")
    def faulty(document: Document) -> Hits:
        yield Place(document.where, 1), document.data["Lost"]

    with pytest.raises(ValidatorError, match=r"^rule faulty cannot read example\.yaml: KeyError: 'Lost'$"):
        faulty.check(Document.parse("example", "a: b"))


def test_an_unknown_validator_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kinesis", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["error"].startswith("validator kinesis does not exist yet")
    assert "findings" not in answer
