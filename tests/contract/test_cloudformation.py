"""The platform's own stacks, deployed by the library under the roles that deploy them on AWS."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from concert_platform import artifacts
from concert_platform.cloudformation import ChangeSetError, Deployment, StackFailedError, deployment, request
from concert_platform.cloudformation.templates import parse_template
from concert_platform.settings import STACKS, Settings
from tests.contract.conftest import PATIENTLY

# An environment of its own: other tests of the session may use development.
SETTINGS = Settings(environment="staging", account_id="000000000000", region="us-east-1")
ROLE = "concert-platform-staging-airflow-execution"
BUNDLE = artifacts.Bundle(
    {
        "glue/concert_etl_job.py": b"job",
        "glue/concert_etl.zip": b"zip",
        "ml/source.tar.gz": b"tar",
        **{f"lambda/{name}.zip": artifacts.zip_archive(artifacts.lambda_package(name)) for name in artifacts.FUNCTIONS},
    }
)
PREFIX = {"ArtifactsPrefix": BUNDLE.prefix}
QUEUE = "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: concert-platform-staging-a}}}\n"
BROKEN = """Resources: {Table: {Type: AWS::Glue::Table, Properties: {CatalogId: '000000000000',
  DatabaseName: concert_platform_staging, TableInput: {Name: event}}}}\n"""  # storage-processing has that table
PARAMETERS = "Parameters: {Environment: {Type: String}}\n"


def log_in(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """Let boto3 clients of this process work with the credentials of an environment."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def deployed(emulator: Any) -> Iterator[dict[str, dict[str, str]]]:
    """Every stack in its order, Airflow's own by the root and the others under Airflow's role; outputs by stack."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in(monkeypatch, {**emulator.role_environment("unused"), "AWS_ACCESS_KEY_ID": "root-of-tests",
                             "AWS_SECRET_ACCESS_KEY": "secret-of-tests"})  # fmt: skip
        monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        first = Deployment(SETTINGS, run="first")
        outputs = {name: first.deploy(name) for name in ("networking", "orchestration")}
    with pytest.MonkeyPatch.context() as monkeypatch:
        log_in(monkeypatch, emulator.role_environment(ROLE))
        found = Deployment(SETTINGS, run="dag")
        for name in STACKS:
            outputs[name] = found.deploy(name, PREFIX)
            if name == "storage-processing":
                artifacts.publish(SETTINGS.artifacts_bucket, BUNDLE)
        yield outputs
    boto3.DEFAULT_SESSION = None


@pytest.fixture
def as_airflow(deployed: Any, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, emulator.role_environment(ROLE))


@pytest.fixture
def scratch(as_airflow: None, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Lets `use(body)` stand in for the networking template, under a stack name of its own."""

    class Scratch(Settings):
        def stack(self, name: str) -> str:
            return f"{self.prefix}-scratch" if name == "networking" else super().stack(name)

    settings = Scratch(SETTINGS.environment, SETTINGS.account_id, SETTINGS.region)
    monkeypatch.setattr(request, "environment_file", lambda _: {"CostCenter": "tests", "stacks": {}})

    def use(body: str, run: str = "one") -> Deployment:
        monkeypatch.setattr(deployment, "load_template", lambda name: parse_template(name, PARAMETERS + body))
        return Deployment(settings, run=run)

    yield use
    root = emulator.client("cloudformation")
    root.delete_stack(StackName=settings.stack("networking"))
    root.get_waiter("stack_delete_complete").wait(StackName=settings.stack("networking"), WaiterConfig=PATIENTLY)


def test_the_deployed_api_answers(deployed: dict, emulator: Any) -> None:
    api = deployed["compute-application"]
    url = f"{emulator.endpoint_url}/_aws/execute-api/{api['ApiId']}/{api['ApiStageName']}/health"
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert json.loads(answer.read()) == {"status": "ok", "environment": "staging", "version": BUNDLE.hash}


def test_the_tags_of_a_stack_reach_its_resources(deployed: dict, root: Any) -> None:
    stack = root("cloudformation").describe_stacks(StackName=SETTINGS.stack("storage-processing"))["Stacks"][0]
    table = root("dynamodb").describe_table(TableName=SETTINGS.ingest_state_table)["Table"]["TableArn"]
    tags = {tag["Key"]: tag["Value"] for tag in root("dynamodb").list_tags_of_resource(ResourceArn=table)["Tags"]}
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert tags["Stack"] == "storage-processing" and {"Project", "Environment", "CostCenter"} <= set(tags)


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_deployment_finds_nothing_to_change(stack: str, as_airflow: None) -> None:
    change_set = Deployment(SETTINGS, run="second").create_change_set(stack, PREFIX)
    assert change_set.id is None


def test_publishing_again_uploads_nothing(as_airflow: None, emulator: Any) -> None:
    def uploads() -> int:
        return sum(call["count"] for call in emulator.calls(service="s3", action="PutObject", role=ROLE))

    before = uploads()
    assert artifacts.publish(SETTINGS.artifacts_bucket, BUNDLE) == BUNDLE.prefix
    assert uploads() == before


def test_the_secret_survives_an_update_that_does_not_name_it(as_airflow: None, root: Any) -> None:
    update = Deployment(SETTINGS, run="secret")
    update.deploy("storage-processing", {**PREFIX, "TicketmasterApiKey": "a-real-key", "OldVersionDays": "31"})
    update.deploy("storage-processing", {**PREFIX, "OldVersionDays": "30"})
    value = root("secretsmanager").get_secret_value(SecretId=SETTINGS.source_secret("ticketmaster"))["SecretString"]
    assert json.loads(value) == {"api_key": "a-real-key"}


def test_a_retry_finds_the_change_set_of_its_predecessor(scratch: Any) -> None:
    first = scratch(QUEUE).create_change_set("networking")
    retried = scratch(QUEUE)
    assert retried.create_change_set("networking") == first
    retried.execute(first)
    retried.execute(first)  # a task that was killed after its call
    stack = retried.stack("networking")
    stack.check_succeeded(stack.wait_until_idle())


def test_a_stack_left_under_review_by_another_run_is_created_again_once_it_is_old(
    scratch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "REVIEW_LIFETIME", timedelta(0))
    abandoned = scratch(QUEUE, run="abandoned").create_change_set("networking")
    created = scratch(QUEUE, run="next").create_change_set("networking")
    assert created.id != abandoned.id
    scratch(QUEUE, run="next").deploy("networking")


def test_a_failed_creation_names_the_resource_and_can_be_retried(scratch: Any) -> None:
    with pytest.raises(
        StackFailedError, match=r"-scratch ended as ROLLBACK_COMPLETE: Table \(AWS::Glue::Table\)"
    ) as it:
        scratch(BROKEN).deploy("networking")
    assert "\n" not in str(it.value)
    scratch(QUEUE).deploy("networking")
    assert scratch(QUEUE).stack("networking").status() == "CREATE_COMPLETE"


def test_a_failed_update_rolls_back_with_its_reason_and_is_tried_again(scratch: Any) -> None:
    scratch(QUEUE).deploy("networking")
    both = QUEUE.rstrip()[:-1] + ", " + BROKEN.removeprefix("Resources: {")
    for _ in range(2):  # the same run again: the failed change set makes room for a new one
        with pytest.raises(StackFailedError, match=r"UPDATE_ROLLBACK_COMPLETE: Table .*already exists"):
            scratch(both).deploy("networking")
    assert scratch(QUEUE).stack("networking").status() == "UPDATE_ROLLBACK_COMPLETE"


def test_a_refused_template_leaves_no_stack_behind(scratch: Any) -> None:
    refused = scratch("Resources: {A: {Type: AWS::SQS::Kueue}}\n")
    with pytest.raises(ChangeSetError, match="AWS::SQS::Kueue"):
        refused.create_change_set("networking")
    assert refused.stack("networking").status() == "MISSING"


def test_a_large_template_passes_through_the_bucket(scratch: Any, emulator: Any) -> None:
    def uploaded() -> set[str]:
        bucket = f"{SETTINGS.prefix}-airflow-{SETTINGS.account_id}"
        found = emulator.client("s3").list_objects_v2(Bucket=bucket, Prefix="cloudformation/networking-")
        return {item["Key"] for item in found.get("Contents", [])}

    before = uploaded()
    scratch(QUEUE + "# a long comment\n" * 4000).deploy("networking")
    assert len(uploaded() - before) == 1


def test_the_deployment_role_creates_nothing_outside_the_platform(scratch: Any) -> None:
    with pytest.raises(StackFailedError, match=r"not authorized to perform: sqs:CreateQueue on resource: .*:payroll"):
        scratch(QUEUE.replace("concert-platform-staging-a", "payroll")).deploy("networking")


def test_the_deployment_role_creates_no_role_above_the_boundary(scratch: Any) -> None:
    trust = "{Version: '2012-10-17', Statement: []}"
    role = f"{{RoleName: concert-platform-staging-free, AssumeRolePolicyDocument: {trust}}}"
    with pytest.raises(StackFailedError, match="not authorized to perform: iam:CreateRole"):
        scratch(f"Resources: {{Free: {{Type: AWS::IAM::Role, Properties: {role}}}}}\n").deploy("networking")


@pytest.mark.parametrize("role", ["airflow-execution", ""])
def test_airflow_asks_for_changes_with_the_deployment_role_alone(role: str, as_airflow: None) -> None:
    named = {"RoleARN": SETTINGS.role_arn(role)} if role else {}
    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:CreateChangeSet"):
        boto3.client("cloudformation").create_change_set(
            StackName=f"{SETTINGS.prefix}-other",
            ChangeSetName="some",
            ChangeSetType="CREATE",
            TemplateBody=QUEUE,
            **named,
        )


@pytest.mark.parametrize(("stack", "role"), [("tracing", ""), ("orchestration", "cloudformation")])
def test_airflow_deletes_neither_in_its_own_name_nor_orchestration(stack: str, role: str, as_airflow: None) -> None:
    named = {"RoleARN": SETTINGS.role_arn(role)} if role else {}
    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:DeleteStack"):
        boto3.client("cloudformation").delete_stack(StackName=SETTINGS.stack(stack), **named)


def test_whoever_names_a_role_must_be_allowed_to_pass_it(emulator: Any, make_role: Any) -> None:
    make_role("asks", [{"Effect": "Allow", "Action": "cloudformation:CreateChangeSet", "Resource": "*"}])
    with pytest.raises(ClientError, match=f"not authorized to perform: iam:PassRole on resource: .*{ROLE}"):
        emulator.role_client("cloudformation", "asks").create_change_set(
            StackName=f"{SETTINGS.prefix}-other", ChangeSetName="some", ChangeSetType="CREATE", TemplateBody=QUEUE,
            RoleARN=SETTINGS.role_arn("airflow-execution"),
        )  # fmt: skip


def test_airflow_deletes_no_warehouse_and_no_users_of_others(as_airflow: None, root: Any) -> None:
    redshift, cognito = root("redshift-serverless"), root("cognito-idp")
    redshift.create_namespace(namespaceName="theirs", tags=[{"key": "Environment", "value": "production"}])
    pool = cognito.create_user_pool(PoolName="theirs")["UserPool"]["Id"]
    with pytest.raises(ClientError, match="not authorized to perform: redshift-serverless:DeleteNamespace"):
        boto3.client("redshift-serverless").delete_namespace(namespaceName="theirs")
    with pytest.raises(ClientError, match="not authorized to perform: cognito-idp:DeleteUserPool"):
        boto3.client("cognito-idp").delete_user_pool(UserPoolId=pool)
    redshift.delete_namespace(namespaceName="theirs")
    cognito.delete_user_pool(UserPoolId=pool)


def test_airflow_may_not_touch_the_stacks_of_others(as_airflow: None) -> None:
    with pytest.raises(ClientError, match="not authorized"):
        boto3.client("cloudformation").delete_stack(StackName="payroll")
