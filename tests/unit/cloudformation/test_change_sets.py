"""What a change set is called, how a reviewer sees it, and which one is refused."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import ChangeSet, ReplacementRefusedError, StackTimeoutError, changes
from concert_platform.cloudformation.change_report import as_html, as_json, publish_report
from concert_platform.cloudformation.changes import create_change_set, request_digest
from concert_platform.cloudformation.review import STATEFUL_TYPES, check_replacements, dangers, summarize
from concert_platform.cloudformation.stateful import ALIAS, KINDS

REQUEST = {"StackName": "s", "TemplateBody": "Resources: {}", "Parameters": [{"ParameterKey": "A"}]}


def change(action: str, logical_id: str, kind: str, **more: Any) -> dict[str, Any]:
    """A change as DescribeChangeSet has it."""
    found = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, **more}
    return {"Type": "Resource", "ResourceChange": found}


def detail(name: str, recreation: str = "Never", attribute: str = "Properties") -> dict[str, Any]:
    return {"Target": {"Attribute": attribute, "Name": name, "RequiresRecreation": recreation}, "Evaluation": "Static"}


CHANGES = [
    change("Modify", "RawBucket", "AWS::S3::Bucket", Replacement="True", Scope=["Properties", "Tags"],
           Details=[detail("BucketName", "Always"), detail("LifecycleConfiguration"),
                    {"Target": {"Attribute": "Tags", "RequiresRecreation": "Never"}}]),
    change("Add", "ApiRole", "AWS::IAM::Role"),
]  # fmt: skip


def refusal(*changes: dict[str, Any]) -> str:
    with pytest.raises(ReplacementRefusedError) as caught:
        check_replacements("some-stack", summarize(changes))
    return str(caught.value)


def test_a_retry_asks_under_the_same_name_and_another_run_under_another() -> None:
    assert request_digest(REQUEST, "run-1") == request_digest(dict(reversed(REQUEST.items())), "run-1")
    assert request_digest(REQUEST, "run-1") != request_digest(REQUEST, "run-2")
    assert request_digest(REQUEST, "run-1") != request_digest({**REQUEST, "TemplateBody": "Resources: {A: 1}"}, "run-1")


def test_the_review_table_has_a_line_a_resource() -> None:
    table = ChangeSet("some-stack", "arn", summarize(CHANGES)).table()
    assert table.splitlines() == [
        "some-stack: update, 2 changes (1 Add, 1 Modify)",
        "ACTION  LOGICAL ID  TYPE             REPLACEMENT  SCOPE             CHANGED",
        "Modify  RawBucket   AWS::S3::Bucket  True         Properties, Tags  BucketName, LifecycleConfiguration",
        "Add     ApiRole     AWS::IAM::Role   -            -                 -",
    ]


def test_a_change_set_without_changes_says_so() -> None:
    assert ChangeSet("some-stack", None).table() == "some-stack: no changes"


def test_a_change_set_survives_the_way_through_an_xcom() -> None:
    change_set = ChangeSet("some-stack", "arn", summarize(CHANGES), "CREATE")
    assert ChangeSet(**json.loads(json.dumps(change_set.to_dict()))) == change_set


def test_the_replacement_of_a_bucket_is_refused_in_one_line_with_the_property() -> None:
    assert refusal(*CHANGES) == (
        "stack some-stack: refused, since it would replace RawBucket (AWS::S3::Bucket) because of BucketName; take the "
        "change back, or deploy with allow_replacement once what they hold is saved"
    )


def test_a_replacement_that_cloudformation_is_not_sure_of_is_refused_too() -> None:
    uncertain = change("Modify", "Warehouse", "AWS::RedshiftServerless::Namespace", Replacement="Conditional",
                       Details=[detail("DbName", "Conditionally")])  # fmt: skip
    assert "it would perhaps replace Warehouse (AWS::RedshiftServerless::Namespace) because of DbName;" in refusal(
        uncertain
    )


class Pages:
    """CloudFormation with a change set that was worked out before, its changes on two pages."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = pages

    def describe_change_set(self, *, StackName: str, ChangeSetName: str, NextToken: str = "0") -> dict[str, Any]:
        number = int(NextToken)
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"ChangeSetId": "arn", "Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE",
                "Changes": [self.pages[number]], **more}  # fmt: skip


def test_a_removal_on_the_second_page_is_in_danger_too() -> None:
    pages = Pages(change("Add", "ApiRole", "AWS::IAM::Role"),
                  change("Remove", "Items", "AWS::DynamoDB::Table", PolicyAction="Delete"))  # fmt: skip
    found = create_change_set(pages, {**REQUEST, "ChangeSetType": "UPDATE"}, "run")
    assert [row["logical_id"] for row in found.changes] == ["ApiRole", "Items"]
    with pytest.raises(ReplacementRefusedError, match="it would remove Items"):
        check_replacements("some-stack", found.changes)


def test_a_change_set_that_is_not_ready_does_not_hold_a_worker_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    pending = Pages(change("Add", "ApiRole", "AWS::IAM::Role"))
    ready = pending.describe_change_set
    monkeypatch.setattr(pending, "describe_change_set", lambda **given: {**ready(**given), "Status": "CREATE_PENDING"})
    waited: list[float] = []
    monkeypatch.setattr(changes.time, "sleep", waited.append)
    monkeypatch.setattr(changes.time, "monotonic", lambda: sum(waited))
    with pytest.raises(StackTimeoutError, match="is still not ready after 120 s"):
        create_change_set(pending, {**REQUEST, "ChangeSetType": "UPDATE"}, "run")
    assert sum(waited) < 130


def test_airflow_itself_is_guarded() -> None:
    assert "it would remove Environment (AWS::MWAA::Environment) from the template;" in refusal(
        change("Remove", "Environment", "AWS::MWAA::Environment", PolicyAction="Delete")
    )


def test_every_resource_in_danger_is_named_also_one_that_would_be_left_behind() -> None:
    assert (
        "it would remove Items (AWS::DynamoDB::Table) from the template, leaving it behind outside the stack; "
        "remove Failed (AWS::SQS::Queue) from the template;"
    ) in refusal(
        change("Remove", "Items", "AWS::DynamoDB::Table", PolicyAction="Retain"),
        change("Remove", "Failed", "AWS::SQS::Queue", PolicyAction="Delete"),
    )


def test_a_template_that_retains_a_resource_of_another_type_is_believed() -> None:
    assert "replace Log (AWS::Backup::BackupVault) because of what it refers to" in refusal(
        change("Modify", "Log", "AWS::Backup::BackupVault", Replacement="True", PolicyAction="ReplaceAndRetain")
    )


def test_what_holds_no_data_or_stays_in_place_is_not_in_danger() -> None:
    harmless = [
        change("Modify", "Role", "AWS::IAM::Role", Replacement="True", Details=[detail("RoleName", "Always")]),
        change("Remove", "Alarm", "AWS::CloudWatch::Alarm", PolicyAction="Delete"),
        change("Modify", "Bucket", "AWS::S3::Bucket", Replacement="False", Details=[detail("LifecycleConfiguration")]),
        change("Add", "Table", "AWS::DynamoDB::Table"),
        change("Import", "Old", "AWS::S3::Bucket"),
    ]
    assert dangers(summarize(harmless)) == []


def test_every_type_that_outlives_its_stack_is_guarded() -> None:
    assert set(KINDS) - {ALIAS} <= set(STATEFUL_TYPES)  # an alias can be made again


def test_the_report_page_shows_the_table_and_the_danger_as_text() -> None:
    strange = change("Add", "<b>", "AWS::IAM::Role")
    page = as_html(ChangeSet("some-stack", "arn", summarize([*CHANGES, strange])), "manual__2026-01-01")
    assert "<h1>some-stack: update, 3 changes (2 Add, 1 Modify)</h1>" in page
    assert "<li>replace RawBucket (AWS::S3::Bucket) because of BucketName</li>" in page
    assert "<td>BucketName, LifecycleConfiguration</td>" in page
    assert "<td>&lt;b&gt;</td>" in page
    assert "no changes" in as_html(ChangeSet("some-stack", None), "run")


def test_the_report_for_machines_holds_the_same() -> None:
    report = json.loads(as_json(ChangeSet("some-stack", "arn", summarize(CHANGES)), "run-1"))
    assert report["run"] == "run-1" and report["id"] == "arn"
    assert [row["logical_id"] for row in report["changes"]] == ["RawBucket", "ApiRole"]
    assert report["dangers"] == ["replace RawBucket (AWS::S3::Bucket) because of BucketName"]


class Bucket:
    def __init__(self) -> None:
        self.put: dict[str, str] = {}
        self.bodies: dict[str, bytes] = {}

    def head_object(self, *, Bucket: str, Key: str) -> None:
        if Key not in self.put:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        self.put[Key], self.bodies[Key] = ContentType, Body

    def generate_presigned_url(self, call: str, *, Params: dict[str, str], ExpiresIn: int) -> str:
        return f"https://{Params['Bucket']}/{Params['Key']}?signed"


def test_the_report_of_what_was_executed_is_not_replaced_by_one_without_changes() -> None:
    client = Bucket()
    for change_set in (ChangeSet("some-stack", "arn", summarize(CHANGES)), ChangeSet("some-stack", None)):
        report = publish_report(client, "some-bucket", "networking", "run 1", "run-1", change_set)
    assert b"RawBucket" in client.bodies["reports/change-sets/networking/run-1.html"]
    assert b"RawBucket" in client.bodies["reports/change-sets/networking/run-1.json"]
    assert report.uri == "s3://some-bucket/reports/change-sets/networking/run-1.html"


def test_both_reports_lie_side_by_side_and_the_link_opens_the_page() -> None:
    client = Bucket()
    report = publish_report(client, "some-bucket", "networking", "run 1", "run-1", ChangeSet("some-stack", None))
    assert client.put == {
        "reports/change-sets/networking/run-1.html": "text/html; charset=utf-8",
        "reports/change-sets/networking/run-1.json": "application/json",
    }
    assert report.uri == "s3://some-bucket/reports/change-sets/networking/run-1.html"
    assert report.link == "https://some-bucket/reports/change-sets/networking/run-1.html?signed"
