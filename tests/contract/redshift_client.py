"""A client of the local Redshift for its contract tests."""

import io
import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import ACCOUNT, Emulator

DATABASE = "concerts"
TRUST = ("redshift-serverless.amazonaws.com", "redshift.amazonaws.com")
ENDED = ("FINISHED", "FAILED", "ABORTED")

COLUMNS = """(id INTEGER NOT NULL, name VARCHAR(12), gross DECIMAL(14,2), day DATE, seen_at TIMESTAMP,
              capacity BIGINT, share DOUBLE PRECISION, sold_out BOOLEAN)"""
SCHEMA = pa.schema(
    [("id", pa.int32()), ("name", pa.string()), ("gross", pa.decimal128(14, 2)), ("day", pa.date32()),
     ("seen_at", pa.timestamp("us", "UTC")), ("capacity", pa.int64()), ("share", pa.float64()),
     ("sold_out", pa.bool_())]
)  # fmt: skip
SEEN_AT = datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
ROWS: list[list[Any]] = [
    [1, 'Björk, "live"', Decimal("10.50"), date(2026, 1, 2), SEEN_AT, 5_000_000_000, 0.1, True],
    [2, "", None, None, None, None, None, False],
    [3, None, Decimal("-1.00"), date(1999, 12, 31), SEEN_AT, 1, 1e30, None],
]


class Warehouse:
    """What a test does with the Data API.

    :param role: ARN of the namespace's role, which may read and write the bucket
    """

    def __init__(self, emulator: Emulator, name: str, bucket: str, role: str) -> None:
        self.emulator, self.name, self.bucket, self.role = emulator, name, bucket, role
        self.client = emulator.client("redshift-data")
        self.s3 = emulator.client("s3")

    def submit(self, sql: str | list[str], **arguments: Any) -> str:
        request = {"WorkgroupName": self.name, "Database": DATABASE, **arguments}
        if isinstance(sql, list):
            return self.client.batch_execute_statement(Sqls=sql, **request)["Id"]
        return self.client.execute_statement(Sql=sql, **request)["Id"]

    def wait(self, statement_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + 300
        while (state := self.client.describe_statement(Id=statement_id))["Status"] not in ENDED:
            assert time.monotonic() < deadline, state
            time.sleep(0.02)
        return state

    def run(self, sql: str | list[str], **arguments: Any) -> dict[str, Any]:
        """The end of a statement that must succeed."""
        state = self.wait(self.submit(sql, **arguments))
        assert state["Status"] == "FINISHED", state
        return state

    def fail(self, sql: str | list[str], **arguments: Any) -> str:
        """The error of a statement that must fail, which is one line."""
        state = self.wait(self.submit(sql, **arguments))
        assert state["Status"] == "FAILED", state
        assert "\n" not in state["Error"]
        return state["Error"]

    def rows(self, sql: str, **arguments: Any) -> list[list[Any]]:
        result = self.client.get_statement_result(Id=self.run(sql, **arguments)["Id"])
        return [
            [None if "isNull" in field else next(iter(field.values())) for field in row] for row in result["Records"]
        ]

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def put_parquet(self, key: str, rows: list[list[Any]], schema: pa.Schema = SCHEMA) -> str:
        return self.put(key, parquet(rows, schema))

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def read_parquet(self, key: str) -> pa.Table:
        return pq.read_table(pa.BufferReader(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()))


def parquet(rows: list[list[Any]], schema: pa.Schema) -> bytes:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(list(column), type=field.type) for column, field in zip(columns, schema, strict=True)]
    table = pa.table(arrays, schema=schema)
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def module_role(emulator: Emulator) -> Iterator[Callable[..., str]]:
    iam = emulator.client("iam")
    made: list[str] = []

    def make(name: str, statements: list[dict], trusted: tuple[str, ...] = TRUST) -> str:
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": list(trusted)}, "Action": "sts:AssumeRole"}]}  # fmt: skip
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        made.append(name)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=document)
        return arn

    yield make
    for name in made:
        iam.delete_role_policy(RoleName=name, PolicyName="main")
        iam.delete_role(RoleName=name)


def allow(actions: list[str], bucket: str) -> list[dict]:
    arn = f"arn:aws:s3:::{bucket}"
    return [{"Effect": "Allow", "Action": actions, "Resource": [arn, f"{arn}/*"]}]


@pytest.fixture(scope="module")
def warehouse(emulator: Emulator, module_role: Callable[..., str]) -> Iterator[Warehouse]:
    name, bucket = "contract-warehouse", f"contract-warehouse-{ACCOUNT}"
    emulator.client("s3").create_bucket(Bucket=bucket)
    actions = ["s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:DeleteObject"]
    role = module_role("contract-copy-and-unload", allow(actions, bucket))
    listing_only = module_role("contract-listing-only", allow(["s3:ListBucket"], bucket))
    untrusting = module_role("contract-trusts-glue", allow(actions, bucket), trusted=("glue.amazonaws.com",))
    serverless = emulator.client("redshift-serverless")
    serverless.create_namespace(namespaceName=name, dbName=DATABASE, iamRoles=[role, listing_only, untrusting])
    serverless.create_workgroup(workgroupName=name, namespaceName=name, baseCapacity=8)
    yield Warehouse(emulator, name, bucket, role)
    serverless.delete_workgroup(workgroupName=name)
    serverless.delete_namespace(namespaceName=name)


@pytest.fixture
def table(warehouse: Warehouse) -> Iterator[str]:
    """A table with a column of each kind."""
    name = f"public.t_{uuid.uuid4().hex[:8]}"
    warehouse.run(f"CREATE TABLE {name} {COLUMNS} DISTSTYLE EVEN SORTKEY (id)")
    yield name
    warehouse.run(f"DROP TABLE IF EXISTS {name}")


@pytest.fixture
def prefix() -> str:
    return f"test/{uuid.uuid4().hex}"


def refusal(call: Callable[[], Any]) -> str:
    """The message of a request that the API refuses at once."""
    with pytest.raises(ClientError) as refused:
        call()
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    return refused.value.response["Error"]["Message"]
