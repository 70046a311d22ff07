"""Policies that allow too much, in every way in which a template can write them."""

import pytest

from concert_platform.validate.templates import policies
from concert_platform.validate.templates.document import Document
from concert_platform.validate.templates.rule import Rule

STATEMENT = """\
Parameters: {{All: {{Type: String, Default: '*'}}, Name: {{Type: String}}}}
Resources:
  Policy:
    Type: {kind}
    Properties:
      PolicyDocument:
        Statement:
          - Effect: {effect}
            {text}
"""


def lines(rule: Rule[Document], text: str, effect: str = "Allow", kind: str = "AWS::IAM::ManagedPolicy") -> list[int]:
    """Lines of what a rule finds in a statement; its text begins on line 9."""
    template = STATEMENT.format(kind=kind, effect=effect, text=text)
    return [finding.line for finding in rule.check(Document.parse("example", template))]


@pytest.mark.parametrize(
    "resource",
    [
        "'*'", "!Sub '*'", "'**'", "'?*'", "'arn:*'", "'arn:aws:s3:::*'", "!Sub 'arn:${AWS::Partition}:s3:::*'",
        "'arn:aws:s3:::*/*'", "'arn:aws:dynamodb:*'", "'arn:aws:dynamodb:*:*:*'", "'arn:aws:*:us-east-1:1:table/a'",
        "!If [C, '*', a]", "!If [C, a, !Sub '*']", "[a, !If [C, [b, '*'], a]]", "!Ref All", "!Join ['', [arn, ':*']]",
        "!Sub ['${Which}', {Which: '*'}]", "['*']",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("comment", "found"), [("", [9]), ("  # x", [9]), ("  # see below", [9]), ("  # the call has no resource", [])]
)
def test_every_resource_needs_a_reason_of_some_words(resource: str, comment: str, found: list[int]) -> None:
    text = f"Resource: {resource}{comment}\n            Action: s3:GetObject"
    assert lines(policies.wildcard_resource, text) == found


@pytest.mark.parametrize(
    "resource",
    [
        "!GetAtt Bucket.Arn", "!Sub '${Bucket.Arn}/*'", "!Sub 'arn:${AWS::Partition}:s3:::${Name}-*'", "!Ref Name",
        "!Sub 'arn:${AWS::Partition}:logs:*:${AWS::AccountId}:*'", "'arn:aws:ecr:*:*:repository/*'", "''",
        "!Join ['', [!GetAtt Bucket.Arn, '/*']]", "!ImportValue '*'",
    ],
)  # fmt: skip
def test_a_part_of_the_resources_needs_no_reason(resource: str) -> None:
    assert lines(policies.wildcard_resource, f"Resource: {resource}\n            Action: s3:GetObject") == []


def test_a_comment_inside_of_text_is_no_reason() -> None:
    text = "Resource: ['* #not a real reason', '*']\n            Action: s3:GetObject"
    assert lines(policies.wildcard_resource, text) == [9, 9]


@pytest.mark.parametrize(
    "action",
    [
        "Action: 's3:*'", "Action: !Sub 's3:*'", "Action: !If [C, 's3:*', s3:GetObject]", "Action: s3:Get?bject",
        "Action: [s3:GetObject, !If [C, [!Sub '*'], a]]", "Action: !Ref All", "NotAction: iam:CreateUser",
    ],
)  # fmt: skip
@pytest.mark.parametrize("effect", ["Allow", "!If [C, Allow, Deny]", "allow"])
def test_a_wild_action_is_found_in_what_may_be_an_allow(action: str, effect: str) -> None:
    assert lines(policies.wildcard_action, action, effect) == [9]


@pytest.mark.parametrize(
    "text",
    ["{Action: '*', Resource: '*', Principal: '*'}", "{NotAction: a, NotResource: b, NotPrincipal: '*'}"],
)
def test_a_deny_may_be_wild(text: str) -> None:
    template = "Resources: {P: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {Statement: [%s]}}}}"
    for effect, found in (("Deny", False), ("Allow", True)):
        document = Document.parse("example", template % f"{{Effect: {effect}, {text[1:]}")
        for rule in (policies.wildcard_action, policies.wildcard_resource, policies.open_principal):
            assert bool(rule.check(document)) is found, (rule.id, effect)


def test_all_resources_but_a_few_need_a_reason() -> None:
    text = "NotResource: arn:aws:s3:::files{}\n            Action: s3:GetObject"
    assert lines(policies.wildcard_resource, text.format("")) == [9]
    assert lines(policies.wildcard_resource, text.format("  # the call has no resource")) == []


def test_only_the_ceiling_itself_allows_all_but_a_few() -> None:
    template = """\
Resources:
  Policy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub {}
      PolicyDocument: {{Statement: {{Effect: Allow, NotAction: a, Resource: b}}}}
"""
    for name, found in (("concert-platform-${Environment}-boundary", []), ("my-${Environment}-boundary", [6])):
        document = Document.parse("example", template.format(name))
        assert [finding.line for finding in policies.wildcard_action.check(document)] == found


AS_JSON = '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": {"AWS": "*"}}]}'


@pytest.mark.parametrize(
    "policy",
    [f"'{AS_JSON}'", f"!Sub '{AS_JSON}'", f"!Join ['', ['{AS_JSON[:20]}', '{AS_JSON[20:]}']]", f"|\n        {AS_JSON}",
     f"!If [C, '{AS_JSON}', '']"],
)  # fmt: skip
def test_a_policy_that_is_json_text_is_read(policy: str) -> None:
    text = f"Resources:\n  P:\n    Type: AWS::Logs::ResourcePolicy\n    Properties:\n      PolicyDocument: {policy}\n"
    document = Document.parse("example", text)
    for rule in (policies.wildcard_action, policies.wildcard_resource, policies.open_principal):
        assert [finding.line for finding in rule.check(document)] == [5], rule.id


@pytest.mark.parametrize("policy", ["text", "!Sub '{${Statement}}'", "'[]'", "!If [C, '{', {Statement: []}]"])
def test_a_policy_that_nobody_can_read_is_found(policy: str) -> None:
    text = f"Resources:\n  P: {{Type: AWS::SNS::TopicPolicy, Properties: {{PolicyDocument: {policy}}}}}"
    assert [finding.line for finding in policies.policy_text.check(Document.parse("example", text))] == [2]


@pytest.mark.parametrize("kind", ["S3::BucketPolicy", "SQS::QueuePolicy", "SNS::TopicPolicy", "KMS::Key", "IAM::Role"])
@pytest.mark.parametrize(
    "principal",
    ["Principal: '*'", "Principal: {AWS: '*'}", "Principal: {AWS: [a, '*']}", "Principal: !If [C, '*', {AWS: a}]",
     "Principal: {AWS: !Sub '*'}", "NotPrincipal: {AWS: a}"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("condition", "found"), [("", [9]), ("{}", [9]), ("{StringEquals: {aws:SourceAccount: 1}}", [])]
)
def test_everybody_may_only_under_a_condition(kind: str, principal: str, condition: str, found: list[int]) -> None:
    text = f"{principal}\n            Action: a\n            Condition: {condition}"
    assert lines(policies.open_principal, text, kind=f"AWS::{kind}") == found


@pytest.mark.parametrize(
    ("kind", "principal"), [("AWS::EC2::VPCEndpoint", "'*'"), ("AWS::S3::BucketPolicy", "{AWS: 'arn:aws:iam::1:root'}")]
)
def test_a_known_principal_and_an_endpoint_need_no_condition(kind: str, principal: str) -> None:
    assert lines(policies.open_principal, f"Principal: {principal}\n            Action: a", kind=kind) == []
