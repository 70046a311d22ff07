"""The storage-processing stack in a local AWS of its own: what it gives to others, and what an update touches."""

import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from concert_platform.cloudformation import Deployment, deployment, load_template
from concert_platform.cloudformation.changes import ChangeSet
from concert_platform.cloudformation.errors import CloudFormationError
from concert_platform.cloudformation.templates import parse_template
from concert_platform.settings import BUCKETS, Settings
from tests.contract.conftest import ACCOUNT, REGION, Emulator
from tests.unit.template_reader import resources

SETTINGS = Settings(environment="production", account_id=ACCOUNT, region=REGION)
STACK = "storage-processing"
PREFIX = {"ArtifactsPrefix": f"artifacts/{'0' * 16}"}
NAME = "concert-platform-production"
GLUE_LOGS = f"/{NAME}/glue/{NAME}-etl-role/{NAME}-glue-job"
OUTPUTS = {
    "TemplateVersion": r"\d+",
    "DataKeyArn": rf"arn:aws:kms:{REGION}:{ACCOUNT}:key/[0-9a-f-]{{36}}",
    **{f"{kind.title()}BucketName": f"{NAME}-{kind}-{ACCOUNT}" for kind in BUCKETS},
    "StreamName": f"{NAME}-interactions",
    "StreamArn": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{NAME}-interactions",
    "GlueDatabaseName": "concert_platform_production",
    "EtlJobName": f"{NAME}-concert-etl-job",
    "EtlLogGroupName": f"{GLUE_LOGS}/output",
    "AthenaWorkgroupName": f"{NAME}-analysts",
    "AnalystRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-analyst",
    "NamespaceName": f"{NAME}-warehouse",
    "WorkgroupName": f"{NAME}-warehouse",
    "WarehouseRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-warehouse",
    "TrainingRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{NAME}-training",
    "IngestStateTableName": f"{NAME}-ingest-state",
}  # fmt: skip


@pytest.fixture(scope="module")
def outputs(aws: Emulator) -> dict[str, str]:
    for name in ("orchestration", "networking"):
        Deployment(SETTINGS, run="first").deploy(name)
    return Deployment(SETTINGS, run="first").deploy(STACK, PREFIX)


def change_set(run: str, **overrides: str) -> ChangeSet:
    return Deployment(SETTINGS, run=run).create_change_set(STACK, {**PREFIX, **overrides})


def changed(found: ChangeSet) -> list[tuple[str, str, str]]:
    return [(change["action"], change["logical_id"], change["replacement"]) for change in found.changes]


def test_every_output_has_the_form_that_aws_gives_it(outputs: dict[str, str]) -> None:
    assert {name: value for name, value in outputs.items() if not re.fullmatch(OUTPUTS.get(name, "$^"), value)} == {}
    assert outputs.keys() == OUTPUTS.keys()


def test_a_second_deployment_finds_nothing_to_change(outputs: dict[str, str]) -> None:
    assert change_set("second").id is None


@pytest.mark.parametrize("default", ["CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"])
def test_an_account_that_opens_new_tables_to_everybody_is_refused(
    default: str, outputs: dict[str, str], aws: Emulator
) -> None:
    everybody = {"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}
    lake = aws.client("lakeformation")
    lake.put_data_lake_settings(DataLakeSettings={default: [everybody]})
    try:
        with pytest.raises(CloudFormationError, match=r"to everybody whom IAM lets in.*step 5 of docs/aws\.md"):
            change_set("open")
    finally:
        lake.put_data_lake_settings(DataLakeSettings={})
    assert change_set("closed").id is None


def test_a_changed_lifecycle_updates_that_bucket_and_nothing_else(
    outputs: dict[str, str], aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = load_template(STACK).body
    assert body.count("TransitionInDays: 90") == 1
    later = parse_template(STACK, body.replace("TransitionInDays: 90", "TransitionInDays: 120"))
    with monkeypatch.context() as patch:
        patch.setattr(deployment, "load_template", lambda name: later if name == STACK else load_template(name))
        assert changed(change_set("lifecycle")) == [("Modify", "RawBucket", "False")]
        Deployment(SETTINGS, run="lifecycle").deploy(STACK, PREFIX)
        rules = aws.client("s3").get_bucket_lifecycle_configuration(Bucket=outputs["RawBucketName"])["Rules"]
        assert [move["Days"] for rule in rules for move in rule.get("Transitions", [])] == [120]
        assert change_set("after").id is None
    Deployment(SETTINGS, run="back").deploy(STACK, PREFIX)


def test_the_stream_has_the_size_and_retention_of_the_environment(outputs: dict[str, str], aws: Emulator) -> None:
    stream = aws.client("kinesis").describe_stream_summary(StreamName=outputs["StreamName"])["StreamDescriptionSummary"]
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert stream["RetentionPeriodHours"] == 168


def test_shards_change_without_a_new_stream(outputs: dict[str, str]) -> None:
    assert changed(change_set("shards", StreamShards="2")) == [("Modify", "Stream", "False")]


def test_the_job_runs_encrypted_in_the_private_network_and_logs_to_its_groups(
    outputs: dict[str, str], aws: Emulator
) -> None:
    glue = aws.client("glue")
    job = glue.get_job(JobName=outputs["EtlJobName"])["Job"]
    assert job["SecurityConfiguration"] == f"{NAME}-etl"
    [name] = job["Connections"]["Connections"]
    place = glue.get_connection(Name=name)["Connection"]["PhysicalConnectionRequirements"]
    network = Deployment(SETTINGS, run="read").outputs("networking")
    assert place == {
        "SubnetId": network["FirstPrivateSubnetId"],
        "AvailabilityZone": network["FirstAvailabilityZone"],
        "SecurityGroupIdList": [network["GlueSecurityGroupId"]],
    }
    prefix = job["DefaultArguments"]["--custom-logGroup-prefix"]
    role = job["Role"].rpartition("/")[2]
    assert outputs["EtlLogGroupName"] == f"{prefix}/{job['SecurityConfiguration']}-role/{role}/output"
    [group] = aws.client("logs").describe_log_groups(logGroupNamePrefix=outputs["EtlLogGroupName"])["logGroups"]
    assert (group["retentionInDays"], group["kmsKeyId"]) == (365, outputs["DataKeyArn"])


def test_what_is_done_in_the_warehouse_is_logged_for_a_time(outputs: dict[str, str], aws: Emulator) -> None:
    folder = f"/aws/redshift/{outputs['NamespaceName']}/"
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=folder)["logGroups"]
    namespace = aws.client("redshift-serverless").get_namespace(namespaceName=outputs["NamespaceName"])["namespace"]
    assert {group["logGroupName"].removeprefix(folder) for group in groups} == set(namespace["logExports"])
    assert {(group["retentionInDays"], group["kmsKeyId"]) for group in groups} == {(365, outputs["DataKeyArn"])}


@pytest.mark.parametrize(
    ("source", "keys"),
    [("ticketmaster", {"api_key"}), ("spotify", {"client_id", "client_secret"}), ("setlistfm", {"api_key"})],
)
def test_a_source_has_an_encrypted_entry_for_its_keys(
    source: str, keys: set[str], outputs: dict[str, str], aws: Emulator
) -> None:
    client, name = aws.client("secretsmanager"), SETTINGS.source_secret(source)
    assert json.loads(client.get_secret_value(SecretId=name)["SecretString"]).keys() == keys
    assert client.describe_secret(SecretId=name)["KmsKeyId"] == outputs["DataKeyArn"]


QUERIES = {
    item["Properties"]["Name"]: item["Properties"]["QueryString"]
    for item in resources(STACK).values()
    if item["Type"] == "AWS::Athena::NamedQuery"
}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_named_query_runs_on_the_catalogue(name: str, outputs: dict[str, str], aws: Emulator) -> None:
    athena = aws.client("athena")
    execution = athena.start_query_execution(
        QueryString=QUERIES[name], WorkGroup=outputs["AthenaWorkgroupName"],
        QueryExecutionContext={"Database": outputs["GlueDatabaseName"]},
    )["QueryExecutionId"]  # fmt: skip
    status: dict[str, Any] = {"State": "QUEUED"}
    deadline = time.monotonic() + 300
    while status["State"] in ("QUEUED", "RUNNING") and time.monotonic() < deadline:
        status = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
        time.sleep(0.1)
    assert status["State"] == "SUCCEEDED", status


def test_an_analyst_reads_no_file_and_changes_no_table(outputs: dict[str, str], aws: Emulator) -> None:
    role = outputs["AnalystRoleArn"].rpartition("/")[2]
    database = outputs["GlueDatabaseName"]
    tables = aws.role_client("glue", role).get_tables(DatabaseName=database)["TableList"]
    wanted = {"event", "artist", "venue", "setlist", "box_office", "interaction", "identity_match", "identity_registry"}
    assert {table["Name"] for table in tables} == wanted
    with pytest.raises(ClientError, match="not authorized"):
        aws.role_client("glue", role).delete_table(DatabaseName=database, Name="event")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.role_client("s3", role).list_objects_v2(Bucket=outputs["CuratedBucketName"])
