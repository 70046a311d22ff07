"""The tasks of deploy_infrastructure under Airflow's role: what an operator sees, when all is well and when not."""

import json
import urllib.request
from typing import Any

import pytest

from concert_platform.artifacts import zip_archive
from concert_platform.cloudformation import MissingOutputError, changes
from concert_platform.cloudformation.deployment import Deployment
from concert_platform.partitions import run_slug
from tests.contract.conftest import PATIENTLY
from tests.contract.deploy_tasks import (
    ACCOUNT,
    ROLE,
    SERVICE_ROLE,
    STACK,
    Scratch,
    airflow_role,
    failure_of,
    scratch,
    template,
)

__all__ = ["airflow_role", "scratch"]

NAME = "concert-platform-production-scratch"
ARTIFACTS = f"concert-platform-production-artifacts-{ACCOUNT}"
BUNDLE = "artifacts/tests/api.zip"


def queue(logical_id: str = "Queue", name: str = NAME, seconds: int = 30, more: str = "") -> str:
    return (
        f"  {logical_id}: {{Type: AWS::SQS::Queue, {more}Properties: {{QueueName: {name}, VisibilityTimeout: "
        f"{seconds}}}}}\n"
    )


def bucket(lifecycle: bool = True) -> str:
    rules = "LifecycleConfiguration: {Rules: [{Id: old, Status: Enabled, ExpirationInDays: 30}]}"
    return (
        f"  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {NAME}-{ACCOUNT}, "
        f"{rules if lifecycle else ''}}}}}\n"
    )


def table(name: str = NAME) -> str:
    return (
        f"  Table: {{Type: AWS::DynamoDB::Table, Properties: {{TableName: {name}, BillingMode: PAY_PER_REQUEST, "
        "AttributeDefinitions: [{AttributeName: id, AttributeType: S}], KeySchema: [{AttributeName: id, KeyType: HASH}]"
        "}}\n"
    )


def function(memory: int) -> str:
    code = f"Runtime: python3.12, Handler: handler.handler, Code: {{S3Bucket: {ARTIFACTS}, S3Key: {BUNDLE}}}"
    return (
        f"  Function: {{Type: AWS::Lambda::Function, Properties: {{FunctionName: {NAME}, MemorySize: {memory}, "
        f"Role: 'arn:aws:iam::{ACCOUNT}:role/{ROLE}', {code}}}}}\n"
    )


# The deployment role may create no queue of that name: the resource fails in the middle of the operation.
FAILING = queue("Failing", name="payroll", more="DependsOn: Bucket, ")
FAILURE = (
    f"Failing (AWS::SQS::Queue) {{verb}}_FAILED: arn:aws:iam::{ACCOUNT}:role/{SERVICE_ROLE} is not authorized to "
    f"perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:{ACCOUNT}:payroll"
)


def visibility(scratch: Scratch) -> str:
    url = scratch.resource("Queue")["PhysicalResourceId"]
    found = scratch.emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    return str(found["Attributes"]["VisibilityTimeout"])


# ---------------------------------------------------------------- what goes well


def test_a_new_stack_is_reviewed_and_created_and_gives_its_outputs(scratch: Scratch) -> None:
    outputs = "Outputs: {QueueName: {Value: !GetAtt Queue.QueueName}}\n"
    reviewed = scratch.use(template(queue(), after=outputs)).review()
    assert (reviewed.state, reviewed.touched) == ("success", [("Add", "Queue")])
    assert scratch.status() == "REVIEW_IN_PROGRESS"
    assert scratch.execute().result == {"QueueName": NAME}
    assert scratch.status() == "CREATE_COMPLETE"


def test_without_changes_the_execution_is_skipped_and_the_outputs_are_kept(scratch: Scratch) -> None:
    text = template(queue(), after="Outputs: {QueueName: {Value: !GetAtt Queue.QueueName}}\n")
    scratch.use(text).run()
    again = scratch.use(text).review()
    assert (again.state, again.xcoms["outputs"]) == ("skips execute_changes", {"QueueName": NAME})
    assert again.xcoms["skipmixin_key"] == {"skipped": ["execute_changes"]}


def test_the_report_is_a_page_that_the_link_opens_and_json_beside_it(scratch: Scratch) -> None:
    reviewed = scratch.use(template(queue())).review()
    with urllib.request.urlopen(reviewed.link, timeout=60) as answer:
        page, kind = answer.read().decode(), answer.headers["Content-Type"]
    where = f"s3://concert-platform-production-airflow-{ACCOUNT}/reports/change-sets/networking/{run_slug('manual__1')}"
    body = scratch.emulator.client("s3").get_object(
        Bucket=where.split("/")[2], Key=where.split("/", 3)[3] + ".json"
    )["Body"]  # fmt: skip
    assert reviewed.xcoms["report"] == f"{where}.html"
    assert kind == "text/html; charset=utf-8" and "<td>Queue</td>" in page
    assert json.loads(body.read())["changes"] == reviewed.rows


def test_a_stack_that_was_not_selected_is_skipped(scratch: Scratch) -> None:
    skipped = scratch.use(template(queue())).review(stacks=["monitoring"])
    assert (skipped.state, skipped.result) == ("skipped", "networking is not among the selected stacks")
    assert scratch.status() == "MISSING"


def test_a_run_meant_for_another_environment_is_refused(scratch: Scratch) -> None:
    assert failure_of(scratch.use(template(queue())).review, environment="development") == (
        "this Airflow deploys production and nothing else: trigger the DAG in the Airflow of development"
    )
    assert scratch.review(environment="production").state == "success"


def test_a_dry_run_shows_what_would_change_and_leaves_nothing(scratch: Scratch) -> None:
    shown = scratch.use(template(queue())).review(dry_run=True)
    assert (shown.state, shown.touched) == ("skips execute_changes", [("Add", "Queue")])
    assert scratch.status() == "MISSING"
    scratch.use(template(queue())).run()
    shown = scratch.use(template(queue(seconds=60))).review(dry_run=True)
    assert shown.touched == [("Modify", "Queue")]
    left = scratch.root.list_change_sets(StackName=STACK)["Summaries"]
    assert [found["ExecutionStatus"] for found in left if found["ExecutionStatus"] == "AVAILABLE"] == []
    assert scratch.status() == "CREATE_COMPLETE"


def test_a_dry_run_ends_skipped_where_it_needs_outputs_that_are_not_there_yet(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needs_another_stack(*_: Any) -> None:
        raise MissingOutputError("template chatbot needs DataKeyArn: deploy storage-processing first")

    monkeypatch.setattr(Deployment, "create_change_set", needs_another_stack)
    scratch.use(template(queue()))
    shown = scratch.review(dry_run=True)
    reason = "template chatbot needs DataKeyArn: deploy storage-processing first"
    assert (shown.state, shown.result) == ("skipped", f"{reason}; a dry run cannot look further")
    assert failure_of(scratch.review) == reason


@pytest.fixture
def published(scratch: Scratch) -> None:
    """A bundle lies where storage-processing has its bucket."""
    s3 = scratch.emulator.client("s3")
    s3.create_bucket(Bucket=ARTIFACTS)
    s3.put_object(Bucket=ARTIFACTS, Key=BUNDLE, Body=zip_archive({"handler.py": b"def handler(*_): return 1"}))


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [(function(128), function(256), ("Function", "MemorySize")),
     (bucket(lifecycle=True), bucket(lifecycle=False), ("Bucket", "LifecycleConfiguration"))],
    ids=["memory of a function", "lifecycle of a bucket"],
)  # fmt: skip
def test_a_change_of_one_property_updates_that_resource_alone(
    before: str, after: str, changed: tuple[str, str], scratch: Scratch
) -> None:
    scratch.use(template(before, queue())).run()
    reviewed = scratch.use(template(after, queue())).run()
    assert [(row["logical_id"], row["properties"], row["replacement"]) for row in reviewed.rows] == [
        (*changed, "False")
    ]
    assert scratch.status() == "UPDATE_COMPLETE"
    assert scratch.use(template(after, queue())).review().state == "skips execute_changes"


# ---------------------------------------------------------------- data in danger


def test_the_replacement_of_a_table_is_refused_and_then_allowed(scratch: Scratch) -> None:
    scratch.use(template(table())).run()
    assert failure_of(scratch.use(template(table(f"{NAME}-new"))).review) == (
        f"stack {STACK}: refused, since it would replace Table (AWS::DynamoDB::Table) because of TableName; take the "
        "change back, or deploy with allow_replacement once what they hold is saved"
    )
    left = scratch.root.list_change_sets(StackName=STACK)["Summaries"]
    assert [found for found in left if found["ExecutionStatus"] == "AVAILABLE"] == []
    scratch.run(allow_replacement=True)
    assert scratch.resource("Table")["PhysicalResourceId"] == f"{NAME}-new"


def test_the_removal_of_a_bucket_is_refused(scratch: Scratch) -> None:
    scratch.use(template(bucket(), queue())).run()
    message = failure_of(scratch.use(template(queue())).review)
    assert "it would remove Bucket (AWS::S3::Bucket) from the template;" in message


# ---------------------------------------------------------------- what is refused before anything is touched


def refused(reason: str) -> str:
    return f"CloudFormation refused the change set of stack {STACK}: {reason}"


def test_a_missing_parameter_is_named_with_the_remedy(scratch: Scratch) -> None:
    text = template(queue(), before="Parameters: {Environment: {Type: String}, SubnetId: {Type: String}}\n")
    assert failure_of(scratch.use(text).review) == (
        "template networking needs SubnetId: deploy the stack that has it as an output, or add it to "
        "include/cfn/parameters"
    )


def test_an_address_range_that_is_none_is_refused_with_the_constraint(scratch: Scratch) -> None:
    before = (
        "Parameters: {VpcCidr: {Type: String, AllowedPattern: '10[.][0-9]+[.]0[.]0/16', "
        "ConstraintDescription: must be a private range such as 10.20.0.0/16}}\n"
    )
    scratch.use(template(queue(), before=before))
    message = failure_of(scratch.review, parameters={"VpcCidr": "10.20.0.0/99"})
    assert message.startswith(refused("")) and "must be a private range such as 10.20.0.0/16" in message
    assert scratch.status() == "MISSING"


def test_a_circular_reference_is_refused_with_both_resources(scratch: Scratch) -> None:
    text = template(queue("A", more="DependsOn: B, "), queue("B", name=f"{NAME}-b", more="DependsOn: A, "))
    message = failure_of(scratch.use(text).review)
    assert message == refused("Circular dependency between resources: [A, B]")
    assert scratch.status() == "MISSING"


def test_an_unknown_property_is_refused_with_its_name(scratch: Scratch) -> None:
    text = template("  Queue: {Type: AWS::SQS::Queue, Properties: {QueueNmae: a}}\n")
    assert failure_of(scratch.use(text).review) == refused(
        "Properties validation failed for resource Queue with message: #: extraneous key [QueueNmae] is not permitted"
    )
    assert scratch.status() == "MISSING"


# ---------------------------------------------------------------- failures in the middle


def test_a_resource_that_fails_during_creation_is_named_and_the_creation_can_be_retried(scratch: Scratch) -> None:
    scratch.use(template(bucket(), FAILING)).review()
    assert failure_of(scratch.execute) == (
        f"stack {STACK} ended as ROLLBACK_COMPLETE: {FAILURE.format(verb='CREATE')}; mend the template or its "
        "parameters, then deploy again"
    )
    reviewed = scratch.use(template(bucket())).run()
    assert reviewed.deferred != [] and scratch.status() == "CREATE_COMPLETE"


def test_a_resource_that_fails_during_an_update_is_named_and_the_stack_rolled_back(scratch: Scratch) -> None:
    scratch.use(template(bucket(), queue(seconds=30))).run()
    # The bucket, on which the failing resource waits, waits for the queue.
    waiting = bucket().replace("Properties", "DependsOn: Queue, Properties", 1)
    scratch.use(template(waiting, queue(seconds=60), FAILING)).review()
    assert failure_of(scratch.execute) == (
        f"stack {STACK} ended as UPDATE_ROLLBACK_COMPLETE: {FAILURE.format(verb='UPDATE')}; mend the template or its "
        "parameters, then deploy again"
    )
    assert visibility(scratch) == "30"
    scratch.use(template(bucket(), queue(seconds=60))).run()
    assert visibility(scratch) == "60"


def test_an_export_in_use_is_not_taken_away(scratch: Scratch) -> None:
    export = f"Outputs: {{QueueName: {{Value: !GetAtt Queue.QueueName, Export: {{Name: {NAME}}}}}}}\n"
    scratch.use(template(queue(), after=export)).run()
    tags = f"Tags: [{{Key: queue, Value: !ImportValue {NAME}}}]"
    user = template(queue(name=f"{NAME}-other")).replace("VisibilityTimeout: 30", tags)
    scratch.root.create_stack(StackName=f"{STACK}-other", TemplateBody=user)
    scratch.root.get_waiter("stack_create_complete").wait(StackName=f"{STACK}-other", WaiterConfig=PATIENTLY)
    assert scratch.use(template(queue())).review().state == "success"
    assert failure_of(scratch.execute) == (
        f"stack {STACK} ended as UPDATE_ROLLBACK_COMPLETE: {STACK} (AWS::CloudFormation::Stack) UPDATE_FAILED: Export "
        f"{NAME} cannot be deleted as it is in use by {STACK}-other; mend the template or its parameters, then deploy "
        "again"
    )


@pytest.fixture
def stuck(scratch: Scratch) -> Any:
    """The stack is UPDATE_ROLLBACK_FAILED: its role may not put the lifecycle back. Calling it lifts that."""
    iam = scratch.emulator.client("iam")
    scratch.use(template(bucket())).run()
    deny = {"Effect": "Deny", "Action": "s3:PutLifecycleConfiguration", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=SERVICE_ROLE, PolicyName="deny", PolicyDocument=document)
    scratch.use(template(bucket(lifecycle=False), FAILING)).review()
    assert failure_of(scratch.execute).startswith(
        f"stack {STACK} ended as UPDATE_ROLLBACK_FAILED: {FAILURE.format(verb='UPDATE')}"
    )

    def lift() -> None:
        iam.delete_role_policy(RoleName=SERVICE_ROLE, PolicyName="deny")

    yield lift
    if "deny" in iam.list_role_policies(RoleName=SERVICE_ROLE)["PolicyNames"]:
        lift()


def test_a_rollback_that_failed_is_continued_and_the_deployment_goes_on(stuck: Any, scratch: Scratch) -> None:
    stuck()
    reviewed = scratch.use(template(bucket(), queue())).run()
    assert (reviewed.deferred, reviewed.touched) == ([STACK], [("Add", "Queue")])
    assert scratch.status() == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_again_names_the_resource_and_the_way_out(stuck: Any, scratch: Scratch) -> None:
    assert failure_of(scratch.use(template(bucket(), queue())).review) == (
        f"stack {STACK} is UPDATE_ROLLBACK_FAILED again after its rollback was continued: Bucket (AWS::S3::Bucket) "
        f"UPDATE_FAILED: arn:aws:iam::{ACCOUNT}:role/{SERVICE_ROLE} is not authorized to perform: "
        f"s3:PutLifecycleConfiguration on resource: arn:aws:s3:::{NAME}-{ACCOUNT}; mend that resource by hand and "
        f"deploy again, or give it up with `aws cloudformation continue-update-rollback --stack-name {STACK} "
        "--resources-to-skip Bucket`"
    )
    assert scratch.calls("ContinueUpdateRollback") >= 1
    stuck()


WAIT = """  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait: {Type: AWS::CloudFormation::WaitCondition, Properties: {Handle: !Ref Handle, Timeout: '2'}}
"""  # nobody signals: the operation ends after two seconds


def test_a_stack_that_somebody_else_works_on_is_waited_for(scratch: Scratch) -> None:
    scratch.root.create_stack(StackName=STACK, TemplateBody=template(WAIT), OnFailure="DO_NOTHING")
    assert scratch.status() == "CREATE_IN_PROGRESS"
    assert scratch.use(template(queue())).run().deferred[0] == STACK
    assert scratch.status() == "CREATE_COMPLETE"


def test_what_an_earlier_stack_has_left_is_imported_before_the_new_one_is_reviewed(scratch: Scratch) -> None:
    policies = "DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Retain"
    kept = table().replace("Properties", f"{policies}, Properties", 1)
    scratch.use(template(kept, queue())).run()
    scratch.remove()
    shown = scratch.use(template(kept, queue())).review(dry_run=True)
    assert (shown.touched, scratch.status()) == ([("Import", "Table")], "MISSING")
    reviewed = scratch.use(template(kept, queue())).run()
    assert reviewed.touched == [("Add", "Queue"), ("Modify", "Table")]  # the table gets the stack's tags
    assert scratch.resource("Table")["PhysicalResourceId"] == NAME
    scratch.emulator.client("dynamodb").delete_table(TableName=NAME)


# ---------------------------------------------------------------- killed


class Killed(BaseException):
    """What a worker's end looks like from inside."""


def die(*_: Any, **__: Any) -> None:
    raise Killed


def test_a_task_killed_after_it_has_started_the_execution_goes_on_with_it(scratch: Scratch) -> None:
    scratch.use(template(queue())).review()
    before = scratch.calls("ExecuteChangeSet")
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Deployment, "outcome", die)
        with pytest.raises(Killed):
            scratch.execute()
    assert scratch.execute().state == "success"
    assert scratch.status() == "CREATE_COMPLETE"
    assert scratch.calls("ExecuteChangeSet") == before + 1


def test_a_task_killed_while_the_change_set_is_worked_out_finds_it_again(scratch: Scratch) -> None:
    scratch.use(template(queue()))
    before = scratch.calls("CreateChangeSet")
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(changes, "_wait", die)
        with pytest.raises(Killed):
            scratch.review()
    assert scratch.run().touched == [("Add", "Queue")]
    assert scratch.calls("CreateChangeSet") == before + 1


def test_a_review_that_is_cleared_after_the_execution_finds_nothing_to_do_and_keeps_the_report(
    scratch: Scratch,
) -> None:
    scratch.use(template(queue())).run()
    again = scratch.review()
    assert again.state == "skips execute_changes"
    assert scratch.status() == "CREATE_COMPLETE"
    with urllib.request.urlopen(again.link, timeout=60) as answer:
        assert "<td>Queue</td>" in answer.read().decode()
