"""A template whose properties do not fit AWS's schemas is refused before anything is made, as CloudFormation does."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

QUEUE, TABLE, FUNCTION = "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Lambda::Function"
ROLE = {"Role": "arn:aws:iam::000000000000:role/r"}
KEYS = {
    "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
}
LIFECYCLE = {"Rules": [{"Id": "a", "Status": "Enabled", "ExpirationInDays": 1}]}
PARAMETERS = {"Count": {"Type": "Number", "Default": "3"}, "Big": {"Type": "String", "Default": "no"}}
CONDITIONS = {
    "IsBig": {"Fn::Equals": [{"Ref": "Big"}, "yes"]},
    "IsHome": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
}

# what is wrong -> type, properties, message
REFUSED = {
    "unknown": (QUEUE, {"Colour": "red"}, "#: extraneous key [Colour] is not permitted"),
    "unknown, nested": (
        "AWS::S3::Bucket", {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Days": 1}]}},
        "#/LifecycleConfiguration/Rules/0: extraneous key [Days] is not permitted",
    ),
    "unknown, of our own type": (
        "AWS::XRay::Group", {"GroupName": "g", "Filter": "x"}, "#: extraneous key [Filter] is not permitted",
    ),
    "missing": (FUNCTION, ROLE, "#: required key [Code] not found"),
    "not in the list": (TABLE, {**KEYS, "BillingMode": "FREE"}, "#/BillingMode: FREE is not a valid enum value"),
    "of another form": (
        "AWS::Lambda::Permission", {"Action": "invoke", "FunctionName": "f", "Principal": "s3.amazonaws.com"},
        "#/Action: string [invoke] does not match pattern",
    ),
    "of another type": (QUEUE, {"DelaySeconds": "soon"}, "#/DelaySeconds: expected type: Integer, found: String"),
    "a list for one": (QUEUE, {"QueueName": ["a"]}, "#/QueueName: expected type: String, found: JSONArray"),
    "too long": (FUNCTION, {"Code": {}, **ROLE, "Description": "d" * 257},
                 "#/Description: expected maxLength to be 256, found 257"),
    "a parameter's value": (
        FUNCTION, {"Code": {}, **ROLE, "MemorySize": {"Ref": "Big"}},
        "#/MemorySize: expected type: Integer, found: String",
    ),
    "in the branch that is taken": (
        QUEUE, {"Fn::If": ["IsBig", {"QueueName": {"Ref": "Other"}}, {"Colour": "red"}]},
        "#: extraneous key [Colour] is not permitted",
    ),
}  # fmt: skip

ACCEPTED = {
    "a number as text": (QUEUE, {"DelaySeconds": "5", "FifoQueue": "false"}),
    "a parameter": (QUEUE, {"DelaySeconds": {"Ref": "Count"}}),
    "what only the deployment knows": (QUEUE, {"KmsMasterKeyId": {"Fn::GetAtt": ["Other", "Arn"]}}),
    "what a condition leaves out": (
        QUEUE,
        {"QueueName": {"Fn::If": ["IsBig", "Not A Name!", {"Ref": "AWS::NoValue"}]}},
    ),
    "a policy": ("AWS::SQS::QueuePolicy", {"Queues": [{"Ref": "Other"}], "PolicyDocument": {"Statement": []}}),
    "a lifecycle": ("AWS::S3::Bucket", {"LifecycleConfiguration": LIFECYCLE}),
}


def change_set(cloudformation: Any, kind: str, properties: dict[str, Any], **more: Any) -> str:
    body = {"Parameters": PARAMETERS, "Conditions": CONDITIONS, "Resources": {
        "Other": {"Type": QUEUE}, "One": {"Type": kind, "Properties": properties, **more}}}  # fmt: skip
    arguments = {"StackName": "properties", "ChangeSetName": "one", "ChangeSetType": "CREATE"}
    created = cloudformation.create_change_set(TemplateBody=json.dumps(body), **arguments)
    cloudformation.delete_stack(StackName="properties")
    return created["Id"]


@pytest.mark.parametrize("case", REFUSED)
def test_a_property_that_does_not_fit_is_refused(case: str, root: Any) -> None:
    kind, properties, message = REFUSED[case]
    with pytest.raises(ClientError) as refused:
        change_set(root("cloudformation"), kind, properties)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationError"
    assert error["Message"].startswith(f"Properties validation failed for resource One with message: {message}")


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_property_that_fits_is_accepted(case: str, root: Any) -> None:
    assert change_set(root("cloudformation"), *ACCEPTED[case])


def test_a_resource_that_a_condition_leaves_out_is_not_judged(root: Any) -> None:
    assert change_set(root("cloudformation"), QUEUE, {"Colour": "red"}, Condition="IsBig")


def test_a_condition_compares_the_value_of_a_pseudo_parameter(root: Any) -> None:
    with pytest.raises(ClientError, match="Colour"):
        change_set(root("cloudformation"), QUEUE, {"Colour": "red"}, Condition="IsHome")


def test_all_that_is_wrong_with_a_resource_is_said_at_once(root: Any) -> None:
    with pytest.raises(ClientError, match=r"\[Colour\] is not permitted, #/DelaySeconds: expected type: Integer"):
        change_set(root("cloudformation"), QUEUE, {"Colour": "red", "DelaySeconds": "soon"})
