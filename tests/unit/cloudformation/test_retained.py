"""Which resources outlive a stack, and the template by which the next one imports them."""

import json
from typing import Any

import pytest

from concert_platform.cloudformation.documents import UnknownValueError, Values, parse_document, references
from concert_platform.cloudformation.retained import find_retained, import_template
from concert_platform.cloudformation.stateful import ALIAS, KEY, KINDS, RETAINING, Found, Kind
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
