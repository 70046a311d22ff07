"""Every rule about a single template is tripped by a template that breaks this one rule."""

from typing import Any

import pytest

from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.cloudformation.stateful import KINDS
from concert_platform.validate.templates import TEMPLATE_RULES, api, check_templates, policies, security
from concert_platform.validate.templates.document import Document, DocumentError
from tests.unit.validate.example import GOOD, broken

ACTIONS = "                  - s3:GetObject\n"
LONG_ACTIONS = "".join(f"                  - s3:GetObject{number:04}\n" for number in range(600))

# Rule, the text that is replaced, its replacement, and the line that the finding names.
CASES = [
    ("readable", "    Value: '1'\n", "    Value: '1'\n  Lost: text\n", "  Lost:"),
    ("header-comment", "# example: what", "# What", "# What"),
    ("header-comment", "#\n#   Bucket   files\n", "", "# example: what"),
    ("interface-metadata", "Days, Cidr, VpcId]", "Cidr, VpcId]", "  Days:\n    Type"),
    ("interface-metadata", "Days, Cidr, VpcId]", "Days, Days, Cidr, VpcId]", "  Days:\n    Type"),
    ("interface-metadata", "      Days: {default: Days}\n", "", "  Days:\n    Type"),
    ("interface-metadata", "VpcId]", "VpcId, Lost]", "  AWS::CloudFormation::Interface"),
    ("parameter-constraints", "    Description: Days after which a file expires.\n", "", "  Days:\n    Type"),
    ("parameter-constraints", "    MaxValue: 365\n", "", "  Days:\n    Type"),
    ("parameter-constraints", "    AllowedPattern: '^[0-9.]+/[0-9]{2}$'\n", "", "  Cidr:\n    Type"),
    ("parameter-constraints", "    ConstraintDescription: must be 1 to 365 days\n", "", "  Days:\n    Type"),
    ("parameter-default", "Default: 30", "Default: 0", "    Default: 0"),
    ("parameter-default", "Default: 30", "Default: many", "    Default: many"),
    ("parameter-default", "Default: 10.0.0.0/16", "Default: everywhere", "    Default: everywhere"),
    ("parameter-default", "'^[0-9.]+/[0-9]{2}$'", "'[0-9'", "    Default: 10"),
    ("output-description", "    Description: Where the files are.\n", "", "  BucketName:"),
    ("template-version", "  TemplateVersion:", "  Version:", "Outputs:"),
    ("no-exports", "    Value: !Ref Bucket\n", "    Value: !Ref Bucket\n    Export: {Name: files}\n", "    Export:"),
    ("no-exports", "PolicyName: read", "PolicyName: !ImportValue name", "        - PolicyName"),
    ("retention", "    UpdateReplacePolicy: Retain\n", "", "  Bucket:\n"),
    ("retention", "DeletionPolicy: RetainExceptOnCreate", "DeletionPolicy: Delete", "  Bucket:\n"),
    ("permissions-boundary", "policy/concert-platform-${Environment}-boundary", "policy/other", "  Role:"),
    ("wildcard-action", "- s3:GetObject", "- s3:Get*", "                  - s3:Get*"),
    ("wildcard-action", "Action: xray:", "NotAction: xray:", "                NotAction:"),
    ("wildcard-resource", "'*'  # traces have no ARN", "'*'", "                Resource: '*'"),
    ("wildcard-resource", "'*'  # traces have no ARN", "['*']  #", "                Resource: ['*']"),
    ("open-principal", "Principal: {Service: lambda.amazonaws.com}", "Principal: '*'", "          - {Effect: Allow"),
    ("policy-text", "AssumeRolePolicyDocument:\n", "AssumeRolePolicyDocument: >\n", "      AssumeRole"),
    ("bucket-tls", "      Bucket: !Ref Bucket\n", "      Bucket: !Ref Other\n", "  Bucket:\n"),
    ("bucket-tls", "aws:SecureTransport: 'false'", "aws:SecureTransport: 'true'", "  Bucket:\n"),
    ("bucket-tls", "Action: 's3:*'", "Action: s3:GetObject", "  Bucket:\n"),
    ("bucket-public-access", "        IgnorePublicAcls: true\n", "", "  Bucket:\n"),
    ("policy-size", ACTIONS, LONG_ACTIONS, "  Role:"),
    ("policy-size", "      Policies:", f"      ManagedPolicyArns: {list('abcdefghijk')}\n      Policies:", "  Role:"),
    ("suppression-reason", ", comment: the call takes no resource", "", "          - {id: CKV_AWS_111"),
    ("suppression-reason", "  # the dependency says in which order things go", "", "          ignore_checks"),
    ("suppression-reason", ", comment: the call takes no resource", ", comment: x", "          - {id: CKV_AWS_111"),
    ("suppression-reason", "the dependency says in which order things go", "needed", "          ignore_checks"),
    ("suppression-reason", "ignore_checks: [W3005]", "ignore_checks: [W]", "          ignore_checks"),
    ("suppression-reason", "\nOutputs:", "\n# checkov:skip=CKV_AWS_1\nOutputs:", "# checkov:skip"),
    ("template-wide-suppression", "Metadata:\n  AWS", "Metadata:\n  cfn-lint: {config: {}}\n  AWS", "  cfn-lint: {"),
    ("template-wide-suppression", "Metadata:\n  AWS", "Metadata:\n  checkov: {skip: []}\n  AWS", "  checkov: {"),
]


def line_of(document: Document, beginning: str) -> int:
    before, found, _ = f"\n{document.text}".partition(f"\n{beginning}")
    assert found
    return before.count("\n") + 1


def test_the_example_breaks_no_rule() -> None:
    assert check_templates([Document.parse("example", GOOD)]) == []


@pytest.mark.parametrize(("rule", "old", "new", "place"), CASES)
def test_a_broken_rule_is_found_on_its_line(rule: str, old: str, new: str, place: str) -> None:
    document = broken(old, new)
    found = check_templates([document])
    assert [(finding.rule, finding.line) for finding in found] == [(rule, line_of(document, place))]
    assert found[0].remedy and found[0].message


def test_every_rule_about_a_template_is_tripped_above_or_below() -> None:
    assert {case[0] for case in CASES} | {"api-deployment"} == {rule.id for rule in TEMPLATE_RULES}


API = """\
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: api}}
  Deployment: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref Api}}
"""


def api_findings(text: str) -> list[str]:
    return [finding.message for finding in api.api_deployment.check(Document.parse("example", text))]


def test_a_deployment_is_named_after_the_api_that_it_shows() -> None:
    right = f"ApiDeployment{api.api_digest(Document.parse('example', API))}"
    assert api_findings(API) == [f"Deployment is another API's picture; its name must be {right}"]
    assert api_findings(API.replace("Deployment:", f"{right}:")) == []


def test_a_changed_method_asks_for_another_deployment() -> None:
    right = f"ApiDeployment{api.api_digest(Document.parse('example', API))}"
    named = API.replace("Deployment:", f"{right}:")
    changed = named + "  Get: {Type: AWS::ApiGateway::Method, Properties: {HttpMethod: GET}}\n"
    assert len(api_findings(changed)) == 1


def test_an_api_that_is_never_deployed_is_found() -> None:
    assert "is never deployed" in api_findings(API.replace("!Ref Api", "!Ref Other"))[-1]


def test_what_must_outlive_its_stack_is_guarded_and_can_be_imported_again() -> None:
    assert set(security.TO_RETAIN) <= set(STATEFUL_TYPES) & set(KINDS)


def test_the_ceiling_itself_may_name_what_it_leaves_out() -> None:
    policy = """\
Resources:
  Boundary:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub concert-platform-${Environment}-boundary
      PolicyDocument: {Statement: [{Effect: Allow, NotAction: iam:CreateUser, Resource: '*'}]}  # a ceiling for all
  Role: {Type: AWS::IAM::Role, Properties: {PermissionsBoundary: !Ref Boundary}}
"""
    rules = {finding.rule for finding in check_templates([Document.parse("example", policy)])}
    assert not rules & {"wildcard-action", "wildcard-resource", "permissions-boundary"}


@pytest.mark.parametrize(("actions", "rules"), [(250, []), (330, ["policy-size"])])
def test_a_managed_policy_has_a_limit_of_its_own(actions: int, rules: list[str]) -> None:
    names = ", ".join(f"s3:GetObject{number:04}" for number in range(actions))
    statement = f"{{Effect: Allow, Action: [{names}], Resource: !GetAtt Bucket.Arn}}"
    policy = f"{{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: {{Statement: [{statement}]}}}}}}"
    found = policies.policy_size.check(Document.parse("example", f"Resources: {{Policy: {policy}}}"))
    assert [finding.rule for finding in found] == rules


@pytest.mark.parametrize(
    "text",
    [
        "{}", "Resources:", "Resources: []", "Resources: {A: 1, B: {}, C: {Type: AWS::IAM::Role, Properties: []}}",
        "Parameters: {A: x, B: {}}", "Outputs: {A: }", "Metadata: [a]",
        "Resources: {B: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: [1], PolicyDocument: {Statement: [x]}}}}",
        "Resources: {R: {Type: AWS::IAM::Role, Metadata: {checkov: {skip: x}, cfn-lint: []}, Properties: "
        "{Policies: [x], PermissionsBoundary: !Ref [a]}}}",
        "Metadata: {AWS::CloudFormation::Interface: {ParameterGroups: [x, {Parameters: y}], ParameterLabels: }}",
        "Resources: {R: {Type: [x], Condition: {}}}",
    ],
)  # fmt: skip
def test_a_malformed_template_breaks_no_rule_function(text: str) -> None:
    assert check_templates([Document.parse("example", text)])


@pytest.mark.parametrize(
    ("text", "line"), [("Resources:\n  A: [\n", 3), ("- a\n", 1), ("", 1), ("a: 1\nb: *c\n", 2), ("a: \x00", 1)]
)
def test_a_file_that_is_no_mapping_is_named_with_its_line(text: str, line: int) -> None:
    with pytest.raises(DocumentError) as raised:
        Document.parse("example", text)
    assert (raised.value.place.where, raised.value.place.line) == ("example.yaml", line)


@pytest.mark.parametrize(
    ("path", "line"),
    [((), 1), (("Resources",), 2), (("Resources", "A", "Fn::If", 1, "Key"), 5), (("Resources", "Lost", "Type"), 2)],
)
def test_a_part_of_a_document_has_a_line(path: tuple[Any, ...], line: int) -> None:
    text = "# comment\nResources:\n  A: !If\n    - Condition\n    - {Key: value}\n    - !Ref Other\n"
    assert Document.parse("example", text).at(*path).line == line
