"""Drift detection and teardown by their tasks, on the platform's own templates and under Airflow's own role."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from concert_platform import artifacts
from concert_platform.cloudformation import TEMPLATES, Deployment, Stack
from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.cloudformation.stacks import MISSING
from concert_platform.cloudformation.teardown import TORN_DOWN
from concert_platform.compat import AirflowFailException, AirflowSkipException
from concert_platform.operators import drift, teardown
from concert_platform.settings import STACKS, Settings
from tests.contract.operator_tasks import make_context, run_task
from tests.contract.scratch_stacks import log_in, log_in_as_root

SETTINGS = Settings(environment="development", account_id="000000000000", region="us-east-1")
ROLE = "concert-platform-development-airflow-execution"
BUNDLE = artifacts.Bundle(
    {
        "glue/concert_etl_job.py": b"job",
        "glue/concert_etl.zip": b"zip",
        "ml/source.tar.gz": b"tar",
        **{f"lambda/{name}.zip": artifacts.zip_archive(artifacts.lambda_package(name)) for name in artifacts.FUNCTIONS},
    }
)
PREFIX = {"ArtifactsPrefix": BUNDLE.prefix}


def deploy(run: str) -> None:
    """The stacks of the DAG, as its tasks deploy them."""
    found = Deployment(SETTINGS, run=run)
    for name in STACKS:
        found.deploy(name, PREFIX)
        if name == "storage-processing":
            artifacts.publish(SETTINGS.artifacts_bucket, BUNDLE)


@pytest.fixture(scope="module")
def emulator(own_emulator: Any) -> Any:
    return own_emulator


@pytest.fixture(scope="module")
def deployed(emulator: Any) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in_as_root(monkeypatch, emulator)
        for name in ("networking", "orchestration"):
            Deployment(SETTINGS, run="first").deploy(name)
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in(monkeypatch, emulator.role_environment(ROLE))
        deploy("first")
        yield
    boto3.DEFAULT_SESSION = None


@pytest.fixture(autouse=True)
def as_airflow(deployed: None, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, emulator.role_environment(ROLE))
    for module in (drift, teardown):
        monkeypatch.setattr(module, "settings", lambda: SETTINGS)
    if Deployment(SETTINGS, run="look").stack(STACKS[-1]).status() == MISSING:  # an earlier test has torn it down
        deploy("again")


def detect(context: Any) -> dict[str, Any]:
    """The tasks of detect_infrastructure_drift up to its report."""
    found = [run_task(drift.DetectDriftOperator(task_id="detect_drift", stack=name), context) for name in TEMPLATES]
    report = drift.ReportDriftOperator(task_id="report_drift", stacks=TEMPLATES, drifts=found)
    return run_task(report, context)


def check(context: Any, report: dict[str, Any]) -> None:
    run_task(drift.CheckDriftOperator(task_id="check_drift", report=report), context)


def read(root: Any, address: str) -> bytes:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return root("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_the_stacks_as_they_were_deployed_have_not_drifted() -> None:
    report = detect(make_context())
    assert [stack["differences"] for stack in report["stacks"] if stack["differences"]] == []
    assert {stack["status"] for stack in report["stacks"]} == {"IN_SYNC"}


def test_drift_is_reported_to_the_bucket_and_fails_a_run_only_when_asked_to(root: Any) -> None:
    version = root("s3").put_bucket_versioning
    version(Bucket=SETTINGS.raw_bucket, VersioningConfiguration={"Status": "Suspended"})
    try:
        report = detect(make_context())
    finally:
        version(Bucket=SETTINGS.raw_bucket, VersioningConfiguration={"Status": "Enabled"})
    key = "reports/drift/2026-07-01/manual-2026-07-01t05-00-00-00-00"
    assert report["address"] == f"s3://concert-platform-development-airflow-000000000000/{key}.json"
    saved = json.loads(read(root, report["address"]))
    assert saved["drifted_stacks"] == [SETTINGS.stack("storage-processing")]
    assert [item["name"] for item in saved["stacks"][2]["differences"]] == [SETTINGS.raw_bucket]
    assert b"/VersioningConfiguration/Status" in read(root, report["address"].replace(".json", ".txt"))
    check(make_context(fail_on_drift=False), report)
    with pytest.raises(AirflowFailException, match="1 differences in concert-platform-development-storage-processing"):
        check(make_context(fail_on_drift=True), report)


def test_a_stack_that_could_not_be_compared_fails_the_check_and_does_not_hide_the_others() -> None:
    task = drift.ReportDriftOperator(task_id="report_drift", stacks=["networking"], drifts=[])
    report = run_task(task, make_context())
    assert [stack["status"] for stack in report["stacks"]] == ["UNKNOWN"]
    with pytest.raises(AirflowFailException, match="networking: its detection has failed"):
        check(make_context(fail_on_drift=False), report)


def tell(report: dict[str, Any]) -> str | None:
    return run_task(drift.AlertOnDriftOperator(task_id="alert_on_drift", report=report), make_context())


def test_drift_is_told_to_the_alert_topic_in_one_message(root: Any) -> None:
    topic = Deployment(SETTINGS, run="any").outputs("monitoring")["AlertTopicArn"]
    arn = f"arn:aws:sqs:us-east-1:{SETTINGS.account_id}:told-of-drift"
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
    }]}  # fmt: skip
    queue = root("sqs").create_queue(QueueName="told-of-drift", Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    subscription = root("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    try:
        assert tell({"differences": 0}) is None
        assert tell({**detect(make_context()), "differences": 1})
        messages = root("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)["Messages"]
        [message] = [json.loads(found["Body"]) for found in messages]
    finally:
        root("sns").unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        root("sqs").delete_queue(QueueUrl=queue)
    assert message["Subject"] == "Drift in development: 1 differences in 0 stacks"
    assert "reports/drift/2026-07-01" in message["Message"]


def test_without_a_topic_the_log_says_that_nobody_is_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "outputs", lambda *_: {})
    assert tell({"differences": 1, "address": "s3://bucket/report.json"}) is None
    assert "monitoring is not deployed" in caplog.text


def test_without_a_bucket_the_report_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "settings", lambda: Settings("production", "999999999999", "us-east-1"))
    monkeypatch.setattr(Deployment, "environment_bucket", None)
    with pytest.raises(AirflowSkipException):
        run_task(drift.ReportDriftOperator(task_id="report_drift", stacks=[], drifts=[]), make_context())


def tear_down(context: Any) -> Any:
    """The tasks of tear_down_infrastructure; returns the report."""
    losses = run_task(teardown.CheckTeardownOperator(task_id="check_teardown"), context)
    left = [run_task(teardown.DeleteStackOperator(task_id="delete", stack=name), context) for name in TORN_DOWN]
    run_task(teardown.DeleteRetainedOperator(task_id="delete_retained"), context)
    run_task(teardown.ReportTeardownOperator(task_id="report_teardown", left=left, losses=losses), context)
    return context["ti"].xcoms["report"]


@pytest.mark.parametrize("operator", [
    teardown.CheckTeardownOperator, teardown.DeleteRetainedOperator,
    lambda task_id: teardown.DeleteStackOperator(task_id=task_id, stack="tracing"),
    lambda task_id: teardown.ReportTeardownOperator(task_id=task_id, left=[], losses=[]),
])  # fmt: skip
def test_each_task_of_a_teardown_refuses_what_is_not_confirmed(operator: Any) -> None:
    with pytest.raises(AirflowFailException, match="confirm is 'staging'"):
        run_task(operator(task_id="task"), make_context(confirm="staging", delete_data=True))
    assert Deployment(SETTINGS, run="any").stack("tracing").status() != MISSING


def held(root: Any) -> set[tuple[str, str]]:
    """Stack and logical id of all that holds something, by the replacement guard's types."""
    stacks = [Stack(root("cloudformation"), SETTINGS.stack(name)) for name in TORN_DOWN]
    return {(stack.name, item["LogicalResourceId"]) for stack in stacks for item in stack.resources()
            if item["ResourceType"] in STATEFUL_TYPES}  # fmt: skip


def test_a_teardown_and_the_next_deployment_keep_the_data(root: Any) -> None:
    root("s3").put_object(Bucket=SETTINGS.raw_bucket, Key="raw/kept.json", Body=b"kept")
    root("dynamodb").put_item(
        TableName=SETTINGS.ingest_state_table, Item={"source": {"S": "kept"}, "item": {"S": "kept"}}
    )
    key = root("kms").describe_key(KeyId=f"alias/{SETTINGS.prefix}-data")["KeyMetadata"]["KeyId"]
    holding = held(root)
    report = tear_down(make_context(confirm="development", delete_data=False))
    assert report["deleted"] == [] and report["stacks_left"] == []
    named = [(row["stack"], row["logical_id"]) for row in [*report["kept"], *report["lost"]]]
    assert len(named) == len(set(named)) and holding <= set(named)
    assert all(row["name"] and row["note"] for row in report["lost"])
    assert {SETTINGS.raw_bucket, SETTINGS.ingest_state_table, SETTINGS.source_secret("ticketmaster")} <= {
        row["name"] for row in report["kept"]
    }
    deploy("second")
    assert root("s3").get_object(Bucket=SETTINGS.raw_bucket, Key="raw/kept.json")["Body"].read() == b"kept"
    assert root("dynamodb").scan(TableName=SETTINGS.ingest_state_table)["Count"] == 1
    assert root("kms").describe_key(KeyId=f"alias/{SETTINGS.prefix}-data")["KeyMetadata"]["KeyId"] == key
    for name in STACKS:
        assert Deployment(SETTINGS, run="third").create_change_set(name, PREFIX).id is None, name


def test_a_teardown_with_its_data_leaves_nothing_that_it_does_not_name(root: Any) -> None:
    report = tear_down(make_context(confirm="development", delete_data=True))
    assert report["kept"] == [] and report["stacks_left"] == []
    buckets = {bucket["Name"] for bucket in root("s3").list_buckets()["Buckets"]}
    assert {name for name in buckets if name.startswith(SETTINGS.prefix)} == {f"{SETTINGS.prefix}-airflow-000000000000"}
    assert [name for name in root("dynamodb").list_tables()["TableNames"] if name.startswith(SETTINGS.prefix)] == []
    secrets = [secret["Name"] for secret in root("secretsmanager").list_secrets()["SecretList"]]
    assert [name for name in secrets if name.startswith(SETTINGS.prefix)] == []
    assert report["deleted"] and {"deleted", "deleted in 7 days"} == {row["outcome"] for row in report["deleted"]}
