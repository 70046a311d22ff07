"""A warehouse of its own for tests of include/sql: fixtures, and the questions that the tests ask it."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from concert_platform import settings as settings_module
from concert_platform import warehouse
from concert_platform.cloudformation import load_template
from concert_platform.cloudformation.documents import Values, parse_document
from concert_platform.warehouse import data_api
from tests.contract.conftest import REGION, ROOT_KEYS, Emulator
from tests.contract.curated_runs import DAY, FIRST, Platform, event, interaction, report

COUNTED = ["core.fact_event", "core.fact_box_office", "core.fact_interaction", "core.dim_artist", "core.dim_venue",
           "core.dim_date", "quality.load_audit", "quality.check_result", "quality.quarantine"]  # fmt: skip
ROLES = ("loader", "analyst", "api", "ml")


@pytest.fixture(scope="module")
def platform(emulator: Emulator) -> Iterator[Platform]:
    """An environment of its own with buckets, role, workgroup and schema, which the plugin's own code talks to."""
    patch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ENDPOINT_URL": emulator.endpoint_url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT_KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT_KEYS["aws_secret_access_key"],
        settings_module.ENVIRONMENT_VARIABLE: "development",
        settings_module.MODEL_IMAGE_VARIABLE: "any",
    }.items():  # fmt: skip
        patch.setenv(name, value)
    _forget_clients()
    names = settings_module.settings()
    iam, serverless = emulator.client("iam"), emulator.client("redshift-serverless")
    for bucket in (names.curated_bucket, names.artifacts_bucket):
        emulator.client("s3").create_bucket(Bucket=bucket)
    role = names.role_arn("warehouse").rpartition("/")[2]
    trust = {"Effect": "Allow", "Principal": {"Service": ["redshift.amazonaws.com"]}, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    access = {"Version": "2012-10-17", "Statement": warehouse_rights(names)}
    iam.put_role_policy(RoleName=role, PolicyName="main", PolicyDocument=json.dumps(access))
    name = names.workgroup
    serverless.create_namespace(namespaceName=name, dbName=names.database, iamRoles=[names.role_arn("warehouse")])
    serverless.create_workgroup(workgroupName=name, namespaceName=name, baseCapacity=8)
    drop_everything()
    warehouse.migrate()
    yield Platform(emulator)
    drop_everything()
    serverless.delete_workgroup(workgroupName=name)
    serverless.delete_namespace(namespaceName=name)
    iam.delete_role_policy(RoleName=role, PolicyName="main")
    iam.delete_role(RoleName=role)
    patch.undo()
    _forget_clients()


def warehouse_rights(names: settings_module.Settings) -> list[dict[str, Any]]:
    """What the template allows the warehouse's role on S3; there is no key here that it could use."""
    document = parse_document(load_template("storage-processing").body)
    known = {"AWS::Partition": "aws", "RawBucket": names.raw_bucket, "CuratedBucket": names.curated_bucket,
             "ArtifactsBucket": names.artifacts_bucket}  # fmt: skip
    values = Values({}, known)
    (policy,) = document["Resources"]["WarehouseRole"]["Properties"]["Policies"]
    return [
        {**statement, "Resource": [values.of(item) for item in _several(statement["Resource"])]}
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] != "UseDataKey"
    ]


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _forget_clients() -> None:
    settings_module.settings.cache_clear()
    data_api.client.cache_clear()


def drop_everything() -> None:
    names = ("staging", "core", "marts", "quality", "ml")
    made = [row[0] for row in warehouse.query("SELECT rolname FROM pg_roles")]
    warehouse.execute_batch(
        [
            *(f"DROP SCHEMA IF EXISTS {name} CASCADE" for name in names),
            *(f"DROP ROLE {role} FORCE" for role in ROLES if role in made),
        ]
    )


def create_table(emulator: Emulator, name: str, *keys: str) -> Any:
    """A table of DynamoDB with these keys, as boto3's resource has it."""
    resource = boto3.resource("dynamodb", endpoint_url=emulator.endpoint_url, region_name=REGION, **ROOT_KEYS)
    return resource.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
    )  # fmt: skip


@pytest.fixture
def empty(platform: Platform) -> Platform:
    platform.reset()
    return platform


@pytest.fixture
def loaded(empty: Platform) -> Platform:
    """One run in the warehouse: 3 events, 2 reports, 2 interactions, 1 repeat and 2 rejected events."""
    events = [event(1), event(2), event(3, venue_id="v2", venue="Hall Two")]
    empty.curate(
        repeats=1, rejected=2, event=events, box_office=[report(1), report(2)],
        interaction=[interaction(1), interaction(2)],
    )  # fmt: skip
    empty.load()
    return empty


def counts() -> dict[str, int]:
    return {table: warehouse.query(f"SELECT COUNT(*) FROM {table}")[0][0] for table in COUNTED}


def refresh_marts(day: str = DAY) -> None:
    """Rebuild the marts as a whole."""
    warehouse.refresh_marts([{"run_id": FIRST, "dt": day, "known": ["event"]}])


def statement_of(file: str, **values: Any) -> str:
    (statement,) = warehouse.render([file], **values)
    return statement


def violations(check: str, run_ids: list[str] | None = None) -> int:
    """Number of broken rows, of everything or of what some runs have touched."""
    return len(warehouse.query(statement_of(f"checks/{check}.sql", run_ids=run_ids)))


def accounts() -> dict[tuple[str, str], list[int]]:
    return {(row[0], row[1]): row[2:] for row in warehouse.query(statement_of("checks/account.sql"))}
