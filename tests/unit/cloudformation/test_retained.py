"""Which resources outlive a stack, and the template by which the next one imports them."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from concert_platform.cloudformation import retained
from concert_platform.cloudformation.documents import UnknownValueError, Values, parse_document, references
from concert_platform.cloudformation.ownership import TAGS, objection
from concert_platform.cloudformation.retained import Retained, find_retained, import_template
from concert_platform.cloudformation.stateful import ALIAS, KEY, KINDS, RETAINING, Found, Kind, clients_of
from concert_platform.cloudformation.templates import TEMPLATES, load_template, parse_template
from concert_platform.settings import Settings

SETTINGS = Settings("staging", "123456789012", "eu-west-1")
TEMPLATE = """Parameters:
  Environment: {Type: String}
  Suffix: {Type: String, Default: main}
Mappings: {Kinds: {raw: {name: lake}}}
Conditions:
  IsProduction: !Equals [!Ref Environment, production]
  IsSmall: !Not [!Condition IsProduction]
Resources:
  Key:
    Type: AWS::KMS::Key
    DeletionPolicy: Retain
    Properties: {KeyPolicy: {Version: 2012-10-17, Statement: [{Principal: !GetAtt Role.Arn}]}, EnableKeyRotation: true}
  Alias:
    Type: AWS::KMS::Alias
    DeletionPolicy: Retain
    Properties: {AliasName: !Sub 'alias/${Environment}-data', TargetKeyId: !Ref Key}
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    UpdateReplacePolicy: Retain
    DependsOn: Role
    Metadata: {why: data}
    Properties:
      BucketName: !Join ['-', [!FindInMap [Kinds, raw, name], !Ref Suffix, !Ref 'AWS::AccountId']]
      BucketEncryption: {Key: !GetAtt Key.Arn}
      LoggingConfiguration: {DestinationBucketName: !Sub 'logs-of-${Role}'}
  ProductionTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Condition: IsProduction
    Properties: {TableName: production}
  SmallTable:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Condition: IsSmall
    Properties: {TableName: !If [IsSmall, small, !Ref 'AWS::NoValue']}
  Nameless: {Type: AWS::DynamoDB::Table, DeletionPolicy: Retain}
  NamedByAnother: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: !GetAtt Role.RoleId}}
  Fleeting: {Type: AWS::S3::Bucket, Properties: {BucketName: fleeting}}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: role}}
Outputs: {Bucket: {Value: !Ref Bucket}}
"""


@pytest.fixture
def everything_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_clients: Any, name: str) -> Found:
        return Found(f"id of {name}")

    monkeypatch.setattr(retained, "objection", lambda *_: "")
    for kind, known in KINDS.items():
        monkeypatch.setitem(KINDS, kind, Kind(known.identifier, known.name, find, known.delete))


@pytest.mark.usefixtures("everything_exists")
def test_retained_resources_are_looked_for_under_the_names_that_the_template_gives_them() -> None:
    template = parse_template("networking", TEMPLATE)
    found = find_retained(lambda _service: None, SETTINGS, template, {"Environment": "staging"})
    assert {item.logical_id: item.name for item in found} == {
        "Key": "alias/staging-data",
        "Alias": "alias/staging-data",
        "Bucket": "lake-main-123456789012",
        "SmallTable": "small",
    }
    assert {item.stack for item in found} == {"concert-platform-staging-networking"}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_whose_a_resource_is_can_be_told_from_its_tags_if_its_type_takes_any(kind: str) -> None:
    """An alias takes none, but the key that it leads to does."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    takes_tags = schema.get("tagging", {}).get("taggable", schema.get("taggable", True))
    assert kind in TAGS or not takes_tags


STACK = SETTINGS.stack("networking")
TAGGED = {"Project": "concert-platform", "Environment": "staging"}


def object_to(answer: Any, tags: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    def describe(PhysicalResourceId: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return {"StackResources": answer}

    monkeypatch.setitem(TAGS, "AWS::DynamoDB::Table", lambda *_: tags)
    client = SimpleNamespace(describe_stack_resources=describe)
    return objection(lambda _service: client, SETTINGS, STACK, "AWS::DynamoDB::Table", "items")


def held(stack: str, kind: str = "AWS::DynamoDB::Table", status: str = "CREATE_COMPLETE") -> dict[str, str]:
    return {"StackName": stack, "ResourceType": kind, "PhysicalResourceId": "items", "ResourceStatus": status}


@pytest.mark.parametrize(("answer", "tags", "expected"), [
    ([held("payroll")], TAGGED, "belongs to stack payroll: "),
    ([held(STACK)], TAGGED, ""),
    ([held("payroll", kind="AWS::Kinesis::Stream")], TAGGED, ""),
    ([held("payroll", status="DELETE_SKIPPED")], TAGGED, ""),
    ([], {}, "lacks the tags Project=concert-platform, Environment=staging: "),
    ([], {**TAGGED, "Environment": "production"}, "lacks the tags Environment=staging: "),
])  # fmt: skip
def test_what_another_stack_has_or_lacks_our_tags_is_not_ours(
    answer: Any, tags: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = object_to(answer, tags, monkeypatch)
    assert found.startswith(expected) and bool(found) == bool(expected)


def test_what_may_not_be_looked_at_is_not_ours_and_an_outage_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    none = ClientError({"Error": {"Code": "ValidationError", "Message": "Stack for items does not exist"}}, "D")
    assert object_to(none, TAGGED, monkeypatch) == ""
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStackResources")
    assert object_to(denied, TAGGED, monkeypatch).startswith("may be somebody else's, since it cannot be looked at: ")
    with pytest.raises(ClientError):
        object_to(ClientError({"Error": {"Code": "Throttling", "Message": "later"}}, "D"), TAGGED, monkeypatch)


def test_no_bucket_of_another_account_is_touched() -> None:
    seen: list[dict[str, Any]] = []
    s3 = clients_of(SETTINGS)("s3")
    s3.meta.events.register_first("before-parameter-build.s3", lambda params, **_: seen.append(params) or params)
    s3.meta.events.register("before-call.s3", lambda **_: (SimpleNamespace(status_code=200), {}))
    for call in (s3.head_bucket, s3.list_object_versions, s3.delete_bucket, s3.get_bucket_tagging):
        call(Bucket="lake")
    s3.delete_objects(Bucket="lake", Delete={"Objects": [{"Key": "a"}]})
    s3.list_buckets()
    assert [params.get("ExpectedBucketOwner") for params in seen] == [SETTINGS.account_id] * 5 + [None]


def test_the_race_with_another_stack_is_no_reason_to_advise_a_deletion() -> None:
    item = Retained("s", "Table", "AWS::DynamoDB::Table", "items", "items")
    assert "delete_data" not in retained.not_imported([item], "items already exists in stack arn:...:stack/payroll/1")
    assert "delete_data" in retained.not_imported([item], "property X differs")


def test_an_import_holds_nothing_but_what_it_imports() -> None:
    reduced = import_template(TEMPLATE, {"Key", "Bucket"})
    assert reduced.keys() == {"Parameters", "Mappings", "Conditions", "Resources"}
    assert reduced["Resources"] == {
        "Key": {"Type": KEY, "DeletionPolicy": "Retain", "Properties": {"EnableKeyRotation": True}},
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketName": {"Fn::Join": ["-", [{"Fn::FindInMap": ["Kinds", "raw", "name"]}, {"Ref": "Suffix"},
                                                  {"Ref": "AWS::AccountId"}]]},
                "BucketEncryption": {"Key": {"Fn::GetAtt": ["Key", "Arn"]}},
            },
        },
    }  # fmt: skip
    json.dumps(reduced)


def test_a_value_that_a_resource_decides_is_not_known_before() -> None:
    values = Values(parse_document(TEMPLATE), {"Environment": "staging"})
    with pytest.raises(UnknownValueError):
        values.of({"Fn::Sub": "${Role.Arn}"})
    assert values.of({"Fn::Sub": ["${Environment}/${!Literal}/${Own}", {"Own": "x"}]}) == "staging/${Literal}/x"
    assert values.of({"Fn::Sub": ["${Environment}${Suffix}", {"Suffix": ""}]}) == "staging"  # its own, though empty


def test_references_are_found_wherever_they_stand() -> None:
    value = [{"Ref": "A"}, {"x": {"Fn::GetAtt": "B.Arn"}}, {"Fn::Sub": ["${C.Arn}${Own}", {"Own": {"Ref": "D"}}]}]
    assert set(references(value)) == {"A", "B", "C", "D"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_whatever_a_template_retains_can_be_found_again_by_name(name: str) -> None:
    resources = parse_document(load_template(name).body)["Resources"]
    kept = {logical_id: item for logical_id, item in resources.items() if item.get("DeletionPolicy") in RETAINING}
    assert [f"{logical_id} ({item['Type']})" for logical_id, item in kept.items() if item["Type"] not in KINDS] == []
    for logical_id, item in kept.items():
        if item["Type"] == KEY:
            aliases = [other for other in kept.values() if other["Type"] == ALIAS]
            assert any(logical_id in references(alias["Properties"]["TargetKeyId"]) for alias in aliases), (
                f"{logical_id}: its alias must outlive the stack too, since the key is found by it"
            )
        else:
            assert KINDS[item["Type"]].name in item["Properties"], f"{logical_id} has no name of its own"
