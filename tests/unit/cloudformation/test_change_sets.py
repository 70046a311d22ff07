"""What a change set is called and how a reviewer sees it."""

from concert_platform.cloudformation import ChangeSet
from concert_platform.cloudformation.changes import request_digest, summarize

REQUEST = {"StackName": "s", "TemplateBody": "Resources: {}", "Parameters": [{"ParameterKey": "A"}]}
CHANGES = [
    {"Type": "Resource", "ResourceChange": {
        "Action": "Modify", "LogicalResourceId": "RawBucket", "ResourceType": "AWS::S3::Bucket",
        "Replacement": "True"}},
    {"Type": "Resource", "ResourceChange": {
        "Action": "Add", "LogicalResourceId": "ApiRole", "ResourceType": "AWS::IAM::Role"}},
]  # fmt: skip


def test_a_retry_asks_under_the_same_name_and_another_run_under_another() -> None:
    assert request_digest(REQUEST, "run-1") == request_digest(dict(reversed(REQUEST.items())), "run-1")
    assert request_digest(REQUEST, "run-1") != request_digest(REQUEST, "run-2")
    assert request_digest(REQUEST, "run-1") != request_digest({**REQUEST, "TemplateBody": "Resources: {A: 1}"}, "run-1")


def test_the_review_table_has_a_line_a_resource() -> None:
    table = ChangeSet("some-stack", "arn", summarize(CHANGES)).table()
    assert table.splitlines() == [
        "some-stack: 2 changes",
        "ACTION  LOGICAL ID  TYPE             REPLACEMENT",
        "Modify  RawBucket   AWS::S3::Bucket  True",
        "Add     ApiRole     AWS::IAM::Role   -",
    ]


def test_a_change_set_without_changes_says_so() -> None:
    assert ChangeSet("some-stack", None).table() == "some-stack: no changes"


def test_a_change_set_survives_the_way_through_an_xcom() -> None:
    change_set = ChangeSet("some-stack", "arn", summarize(CHANGES))
    assert ChangeSet(**change_set.to_dict()) == change_set
