"""The local warehouse: Redshift Serverless, the Data API, and COPY, UNLOAD and MERGE that really happen."""

import gzip
import io
import json
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg2
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
        deadline = time.monotonic() + 30
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


# ---------------------------------------------------------------- statements and results


def test_a_query_gives_typed_fields_and_their_metadata(warehouse: Warehouse) -> None:
    state = warehouse.run(
        "SELECT 1 AS i, 2::bigint AS l, 1.50::decimal(6,2) AS n, 0.5::float8 AS f, true AS b, 'x'::varchar(3) AS s, "
        "DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05.6' AS t, NULL AS nothing"
    )
    assert (state["HasResultSet"], state["ResultRows"], state["WorkgroupName"]) == (True, 1, warehouse.name)
    assert state["Duration"] > 0 and state["RedshiftPid"] > 0 and state["QueryString"].startswith("SELECT 1 AS i")
    result = warehouse.client.get_statement_result(Id=state["Id"])
    assert result["Records"] == [[
        {"longValue": 1}, {"longValue": 2}, {"stringValue": "1.50"}, {"doubleValue": 0.5}, {"booleanValue": True},
        {"stringValue": "x"}, {"stringValue": "2026-01-02"}, {"stringValue": "2026-01-02 03:04:05.6"}, {"isNull": True},
    ]]  # fmt: skip
    columns = result["ColumnMetadata"]
    assert [column["typeName"] for column in columns] == [
        "int4", "int8", "numeric", "float8", "bool", "varchar", "date", "timestamp", "varchar"
    ]  # fmt: skip
    assert (columns[2]["precision"], columns[2]["scale"], columns[5]["length"]) == (6, 2, 3)


def test_a_long_result_comes_in_pages(warehouse: Warehouse) -> None:
    statement = warehouse.run("SELECT n FROM generate_series(1, 2500) AS n ORDER BY n")["Id"]
    pages = list(warehouse.client.get_paginator("get_statement_result").paginate(Id=statement))
    assert [len(page["Records"]) for page in pages] == [1000, 1000, 500]
    assert [row[0]["longValue"] for page in pages for row in page["Records"]] == list(range(1, 2501))


def test_parameters_are_bound_and_never_become_sql(warehouse: Warehouse) -> None:
    value = "x' OR '1'='1; -- %s :b \\"
    rows = warehouse.rows(
        "SELECT :a, '50%' || ':a', DATE '2026-01-02' = :b",
        Parameters=[{"name": "a", "value": value}, {"name": "b", "value": "2026-01-02"}],
    )
    assert rows == [[value, "50%:a", True]]


@pytest.mark.parametrize(
    ("sql", "parameters", "reason"),
    [
        ("SELECT 1", [{"name": "a", "value": "1"}], "unused parameters"),
        ("SELECT ':a' -- :a", [{"name": "a", "value": "1"}], "unused parameters"),
        ("SELECT :a, :b", [{"name": "a", "value": "1"}], "no parameter gives"),
        ("DROP TABLE IF EXISTS t_:a", [{"name": "a", "value": "1"}], "not supported in DROP"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    warehouse: Warehouse, sql: str, parameters: list[dict], reason: str
) -> None:
    assert reason in refusal(lambda: warehouse.submit(sql, Parameters=parameters))


def test_an_empty_parameter_value_is_refused_by_the_service_itself(warehouse: Warehouse) -> None:
    from botocore.config import Config

    warehouse_client = warehouse.emulator.client("redshift-data", config=Config(parameter_validation=False))
    message = refusal(
        lambda: warehouse_client.execute_statement(
            WorkgroupName=warehouse.name, Database=DATABASE, Sql="SELECT :a", Parameters=[{"name": "a", "value": ""}]
        )
    )
    assert "at least one character" in message


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"WorkgroupName": "nowhere"}, "endpoint doesn't exist"),
        ({"Database": "nothing"}, "database 'nothing' does not exist"),
        ({"SessionKeepAliveSeconds": 60}, "SessionKeepAliveSeconds is not offered"),
        ({"ResultFormat": "CSV"}, "CSV is not offered"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused(warehouse: Warehouse, arguments: dict, reason: str) -> None:
    assert reason in refusal(lambda: warehouse.submit("SELECT 1", **arguments))


def test_what_a_batch_may_not_hold_is_refused(warehouse: Warehouse, table: str) -> None:
    assert "use DELETE" in refusal(lambda: warehouse.submit([f"TRUNCATE {table}", "SELECT 1"]))
    assert "1 to 40 statements" in refusal(lambda: warehouse.submit(["SELECT 1"] * 41))
    assert "100kB" in refusal(lambda: warehouse.submit([f"SELECT '{'x' * 60_000}'"] * 2))
    assert "parameters are not supported" in refusal(lambda: warehouse.submit(["SELECT :a"]))
    assert "VACUUM cannot run" in refusal(lambda: warehouse.submit([f"VACUUM {table}"]))
    warehouse.run(f"TRUNCATE {table}")
    warehouse.run(f"VACUUM FULL {table}")


def test_errors_are_told_in_one_line(warehouse: Warehouse) -> None:
    assert warehouse.fail("SELECT * FROM nowhere") == 'ERROR: relation "nowhere" does not exist'
    assert 'syntax error at or near "SELEC"' in warehouse.fail("SELEC 1")
    assert warehouse.fail("SELECT 1/0") == "ERROR: division by zero"
    with pytest.raises(ClientError, match="Query does not exist"):
        warehouse.client.describe_statement(Id=str(uuid.uuid4()))


def test_a_statement_without_a_result_has_none_to_give(warehouse: Warehouse, table: str) -> None:
    state = warehouse.run(f"INSERT INTO {table} (id) VALUES (1), (2)")
    assert (state["HasResultSet"], state["ResultRows"]) == (False, 2)
    with pytest.raises(ClientError, match="does not have result"):
        warehouse.client.get_statement_result(Id=state["Id"])


def test_the_v2_result_is_refused(warehouse: Warehouse) -> None:
    statement = warehouse.run("SELECT 1")["Id"]
    with pytest.raises(ClientError, match="use GetStatementResult"):
        warehouse.client.get_statement_result_v2(Id=statement)


def test_a_row_above_64_kb_is_refused(warehouse: Warehouse) -> None:
    assert "64 KB" in warehouse.fail("SELECT repeat('x', 70000) AS big")


# ---------------------------------------------------------------- transactions


def test_a_batch_is_one_transaction_with_its_parts_described(warehouse: Warehouse, table: str) -> None:
    state = warehouse.run([f"INSERT INTO {table} (id) VALUES (1)", f"SELECT count(*) FROM {table}"])
    parts = state["SubStatements"]
    assert [part["Id"] for part in parts] == [f"{state['Id']}:1", f"{state['Id']}:2"]
    assert [(part["Status"], part["HasResultSet"]) for part in parts] == [("FINISHED", False), ("FINISHED", True)]
    result = warehouse.client.get_statement_result(Id=parts[1]["Id"])
    assert result["Records"] == [[{"longValue": 1}]]


def test_a_failed_batch_leaves_nothing(warehouse: Warehouse, table: str) -> None:
    made = f"public.made_{uuid.uuid4().hex[:8]}"
    state = warehouse.wait(warehouse.submit([
        f"INSERT INTO {table} (id) VALUES (1)", f"CREATE TABLE {made} (a INT)",
        f"INSERT INTO {table} (id) VALUES (NULL)", f"INSERT INTO {table} (id) VALUES (4)",
    ]))  # fmt: skip
    assert state["Status"] == "FAILED"
    assert state["Error"].startswith("Query #3 failed with ERROR: null value in column")
    assert [part["Status"] for part in state["SubStatements"]] == ["FINISHED", "FINISHED", "FAILED", "ABORTED"]
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[0]]
    assert "does not exist" in warehouse.fail(f"SELECT * FROM {made}")


def test_a_client_token_names_one_statement(warehouse: Warehouse, table: str) -> None:
    token = uuid.uuid4().hex
    ids = {warehouse.submit(f"INSERT INTO {table} (id) VALUES (1)", ClientToken=token) for _ in range(3)}
    assert len(ids) == 1
    warehouse.wait(ids.pop())
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[1]]


def test_a_cancelled_statement_is_aborted(warehouse: Warehouse) -> None:
    statement = warehouse.submit("SELECT pg_sleep(20)")
    while warehouse.client.describe_statement(Id=statement)["Status"] in ("SUBMITTED", "PICKED"):
        time.sleep(0.01)
    begun = time.monotonic()
    assert warehouse.client.cancel_statement(Id=statement)["Status"] is True
    assert warehouse.wait(statement)["Status"] == "ABORTED"
    assert time.monotonic() - begun < 5
    message = refusal(lambda: warehouse.client.cancel_statement(Id=statement))
    assert message.startswith("Could not cancel a query that is already in ABORTED state")


def test_a_long_query_does_not_hold_up_the_service(warehouse: Warehouse) -> None:
    statement = warehouse.submit("SELECT pg_sleep(2)")
    begun = time.monotonic()
    assert warehouse.rows("SELECT 1") == [[1]]
    assert time.monotonic() - begun < 1.5
    assert warehouse.wait(statement)["Status"] == "FINISHED"


def test_statements_are_listed_by_state_and_name(warehouse: Warehouse) -> None:
    name = f"listed-{uuid.uuid4().hex}"
    finished = warehouse.run("SELECT 1", StatementName=name)["Id"]
    failed = warehouse.wait(warehouse.submit(["SELECT 1/0"], StatementName=name))["Id"]

    def listed(**arguments: str) -> list[str]:
        return [one["Id"] for one in warehouse.client.list_statements(StatementName=name, **arguments)["Statements"]]

    assert listed() == [finished]
    assert listed(Status="FAILED") == [failed]
    assert listed(Status="ALL") == [failed, finished]


def test_tables_are_listed_by_pattern(warehouse: Warehouse, table: str) -> None:
    name = table.partition(".")[2]
    listed = warehouse.client.list_tables(WorkgroupName=warehouse.name, Database=DATABASE, TablePattern="t_%")["Tables"]
    assert {"name": name, "schema": "public", "type": "TABLE"} in listed
    everything = warehouse.client.list_tables(WorkgroupName=warehouse.name, Database=DATABASE)["Tables"]
    assert not [one for one in everything if one["schema"] == "redshift_compatibility"]


# ---------------------------------------------------------------- Redshift's SQL


def test_the_functions_answer_as_redshift_does(warehouse: Warehouse) -> None:
    rows = warehouse.rows("""
        SELECT DATEADD(month, 1, DATE '2026-01-31')::date, DATEDIFF(year, '2025-12-31', '2026-01-01'),
               DATEDIFF(day, DATE '2026-01-01', DATE '2026-03-01'), MEDIAN(a), MEDIAN(a::float8), AVG(a),
               LISTAGG(b, '+') WITHIN GROUP (ORDER BY a DESC), NVL(NULL, 5), NVL2(NULL, 1, 2),
               DATE_TRUNC('month', DATE '2026-05-06'), LAST_DAY('2026-02-03'), EXTRACT(year FROM DATE '2026-02-03'),
               JSON_EXTRACT_PATH_TEXT('{"a": {"b": "c"}}', 'a', 'b'), LEN('Björk'), OCTET_LENGTH('Björk')
        FROM (SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, 'y' UNION ALL SELECT 4, 'z' UNION ALL SELECT 4, 'z') AS t
    """)
    assert rows == [[
        "2026-02-28", 1, 59, "3.0000000000000000", 3.0, 2, "z+z+y+x", 5, 2, "2026-05-01 00:00:00", "2026-02-28", 2026,
        "c", 5, 6,
    ]]  # fmt: skip


def test_merge_updates_and_inserts(warehouse: Warehouse, table: str) -> None:
    warehouse.run([
        f"INSERT INTO {table} (id, name) VALUES (1, 'old'), (2, 'kept')",
        "CREATE TEMP TABLE staged (id INT, name VARCHAR(12))",
        "INSERT INTO staged VALUES (1, 'new'), (3, 'added')",
        f"MERGE INTO {table} USING staged AS s ON {table.partition('.')[2]}.id = s.id "
        "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (s.id, s.name)",
    ])  # fmt: skip
    assert warehouse.rows(f"SELECT id, name FROM {table} ORDER BY id") == [[1, "new"], [2, "kept"], [3, "added"]]
    assert "no alias of the target" in refusal(
        lambda: warehouse.submit(f"MERGE INTO {table} t USING staged s ON t.id = s.id WHEN MATCHED THEN DELETE")
    )


def test_keys_are_not_enforced(warehouse: Warehouse) -> None:
    name = f"public.keys_{uuid.uuid4().hex[:8]}"
    warehouse.run([f"CREATE TABLE {name} (key INT IDENTITY(1,1), a INT PRIMARY KEY, UNIQUE (a))",
                   f"INSERT INTO {name} (a) VALUES (1), (1)"])  # fmt: skip
    assert warehouse.rows(f"SELECT key, a FROM {name} ORDER BY key") == [[1, 1], [2, 1]]
    warehouse.run(f"DROP TABLE {name}")


@pytest.mark.parametrize(("text", "length"), [("Björk", 6), ("中島みゆき", 15)])
def test_varchar_counts_bytes(warehouse: Warehouse, text: str, length: int) -> None:
    name = f"public.bytes_{uuid.uuid4().hex[:8]}"
    warehouse.run(f"CREATE TABLE {name} (fits VARCHAR({length}), short VARCHAR({length - 1}))")
    warehouse.run(f"INSERT INTO {name} (fits) VALUES (:text)", Parameters=[{"name": "text", "value": text}])
    assert warehouse.rows(f"SELECT fits FROM {name}") == [[text]]
    error = warehouse.fail(f"INSERT INTO {name} (short) VALUES ('{text}')")
    assert f"value too long for type character varying({length - 1}): column 'short'" in error
    assert f"at most {length - 1} bytes" in error
    warehouse.run(f"DROP TABLE {name}")


# ---------------------------------------------------------------- COPY


def copy(warehouse: Warehouse, table: str, source: str, options: str = "FORMAT AS PARQUET", role: str = "") -> str:
    return f"COPY {table} FROM '{source}' IAM_ROLE '{role or warehouse.role}' {options}"


def test_parquet_is_loaded_with_every_type(warehouse: Warehouse, table: str, prefix: str) -> None:
    for number, row in enumerate(ROWS):
        warehouse.put_parquet(f"{prefix}/part-{number}.snappy.parquet", [[row[0], row[1] and row[1][:10], *row[2:]]])
    state = warehouse.run(copy(warehouse, table, f"s3://{warehouse.bucket}/{prefix}/"))
    assert state["ResultRows"] == 3
    assert warehouse.rows(f"SELECT * FROM {table} ORDER BY id") == [
        [1, 'Björk, "li', "10.50", "2026-01-02", "2026-01-02 03:04:05.6", 5_000_000_000, 0.1, True],
        [2, "", None, None, None, None, None, False],
        [3, None, "-1.00", "1999-12-31", "2026-01-02 03:04:05.6", 1, 1e30, None],
    ]


def test_a_copied_text_that_is_too_long_names_file_line_and_column(
    warehouse: Warehouse, table: str, prefix: str
) -> None:
    source = warehouse.put_parquet(f"{prefix}/a.parquet", [ROWS[1], [2, "中島みゆき", *ROWS[1][2:]]])
    error = warehouse.fail(copy(warehouse, table, source))
    assert error == (
        f"ERROR: Load into table '{table}' failed: file {source}, line 2, column 'name', "
        "reason: String length exceeds DDL length (12 bytes)"
    )
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[0]]


def test_a_parquet_file_that_does_not_fit_is_refused(warehouse: Warehouse, table: str, prefix: str) -> None:
    fewer = warehouse.put_parquet(f"{prefix}/fewer.parquet", [ROWS[1][:7]], pa.schema(list(SCHEMA)[:7]))
    assert "Unmatched number of columns between table and file. Table columns: 8, Data columns: 7" in warehouse.fail(
        copy(warehouse, table, fewer)
    )
    wide = SCHEMA.set(0, pa.field("id", pa.int64()))
    other = warehouse.put_parquet(f"{prefix}/other.parquet", [ROWS[1]], wide)
    error = warehouse.fail(copy(warehouse, table, other))
    assert "incompatible Parquet schema for column 'id'. Column type: INTEGER, Parquet type: int64" in error
    broken = warehouse.put(f"{prefix}/broken.parquet", parquet(ROWS[1:2], SCHEMA)[:-20])
    assert f"file {broken}, reason: it is no Parquet file" in warehouse.fail(copy(warehouse, table, broken))
    assert "does not exist" in warehouse.fail(copy(warehouse, table, f"s3://{warehouse.bucket}/{prefix}/none/"))


def test_a_column_list_takes_the_files_columns_by_position(warehouse: Warehouse, table: str, prefix: str) -> None:
    schema = pa.schema([("anything", pa.string()), ("else", pa.int32())])
    source = warehouse.put_parquet(f"{prefix}/a.parquet", [["x", 7]], schema)
    warehouse.run(copy(warehouse, f"{table} (name, id)", source))
    assert warehouse.rows(f"SELECT id, name FROM {table}") == [[7, "x"]]
    error = warehouse.fail(copy(warehouse, f"{table} (name, ident)", source))
    assert 'column "ident" of relation' in error and "does not exist" in error


def test_an_identity_column_is_not_in_the_file(warehouse: Warehouse, prefix: str) -> None:
    name = f"public.identity_{uuid.uuid4().hex[:8]}"
    warehouse.run(f"CREATE TABLE {name} (key BIGINT IDENTITY(5, 5), a INTEGER)")
    source = warehouse.put_parquet(f"{prefix}/a.parquet", [[1], [2]], pa.schema([("a", pa.int32())]))
    warehouse.run(copy(warehouse, name, source))
    assert warehouse.rows(f"SELECT key, a FROM {name} ORDER BY a") == [[5, 1], [10, 2]]
    assert "COPY needs EXPLICIT_IDS" in warehouse.fail(copy(warehouse, f"{name} (key)", source))
    warehouse.run(f"DROP TABLE {name}")


def manifest(warehouse: Warehouse, prefix: str, entries: list[dict]) -> str:
    return warehouse.put(f"{prefix}/a.manifest", json.dumps({"entries": entries}).encode())


def test_a_manifest_names_the_files(warehouse: Warehouse, table: str, prefix: str) -> None:
    body = parquet(ROWS[1:2], SCHEMA)
    urls = [warehouse.put(f"{prefix}/{name}.parquet", body) for name in ("taken", "left")]
    missing = f"s3://{warehouse.bucket}/{prefix}/missing.parquet"
    entry = {"url": urls[0], "mandatory": True, "meta": {"content_length": len(body)}}
    optional = {"url": missing, "mandatory": False, "meta": {"content_length": 1}}
    parquet_manifest = "FORMAT AS PARQUET MANIFEST"

    warehouse.run(copy(warehouse, table, manifest(warehouse, prefix, [entry, optional]), parquet_manifest))
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[1]]

    place = manifest(warehouse, prefix, [entry, {**optional, "mandatory": True}])
    error = warehouse.fail([f"DELETE FROM {table}", copy(warehouse, table, place, parquet_manifest)])
    assert f"the mandatory file {missing} of manifest {place} does not exist" in error
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[1]]

    place = manifest(warehouse, prefix, [{"url": urls[0], "mandatory": True}])
    assert "needs meta.content_length" in warehouse.fail(copy(warehouse, table, place, parquet_manifest))
    place = manifest(warehouse, prefix, [{**entry, "meta": {"content_length": 1}}])
    assert f"has {len(body)} bytes" in warehouse.fail(copy(warehouse, table, place, parquet_manifest))


def test_json_lines_are_loaded_by_name(warehouse: Warehouse, table: str, prefix: str) -> None:
    records = [{"name": "中島", "id": 1, "gross": 1.10, "seen_at": "2026-01-02T03:04:05Z", "more": {"a": 1}},
               {"id": 2, "name": {"a": [1.25]}, "sold_out": True}]  # fmt: skip
    body = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    source = warehouse.put(f"{prefix}/a.json.gz", gzip.compress(body.encode()))
    warehouse.run(copy(warehouse, table, source, "FORMAT AS JSON 'auto' TIMEFORMAT 'auto' GZIP"))
    assert warehouse.rows(f"SELECT id, name, gross, seen_at, sold_out FROM {table} ORDER BY id") == [
        [1, "中島", "1.10", "2026-01-02 03:04:05", None],
        [2, '{"a":[1.25]}', None, None, True],
    ]


def test_a_bad_json_record_names_its_line(warehouse: Warehouse, table: str, prefix: str) -> None:
    source = warehouse.put(f"{prefix}/a.json", b'{"id": 1}\n{"id": 2,\n{"id": 3}\n')
    assert f"file {source}, line 2, reason: Invalid JSON" in warehouse.fail(
        copy(warehouse, table, source, "JSON 'auto'")
    )
    source = warehouse.put(f"{prefix}/b.json", b'{"id": 1}\n\n{"id": "x"}\n')
    error = warehouse.fail(copy(warehouse, table, source, "JSON 'auto'"))
    assert f"file {source}, line 3, column 'id', reason: invalid input syntax for type integer" in error
    source = warehouse.put(f"{prefix}/c.json", b'{"id": 1, "seen_at": "2026-01-02T03:04:05"}')
    error = warehouse.fail(copy(warehouse, table, source, "JSON 'auto'"))
    assert "column 'seen_at', reason: Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]" in error


def test_csv_is_loaded_with_redshifts_idea_of_empty(warehouse: Warehouse, table: str, prefix: str) -> None:
    body = 'id,name,gross\n1,"a, ""b""\nc",\n2,,3.5\n3,\\N,\n'
    source = warehouse.put(f"{prefix}/a.csv", body.encode())
    target = f"{table} (id, name, gross)"
    warehouse.run(copy(warehouse, target, source, "CSV IGNOREHEADER 1"))
    assert warehouse.rows(f"SELECT id, name, gross FROM {table} ORDER BY id") == [
        [1, 'a, "b"\nc', None], [2, "", "3.50"], [3, None, None]
    ]  # fmt: skip
    error = warehouse.fail(copy(warehouse, target, source, "CSV"))
    assert f"file {source}, line 1, column 'id', reason: invalid input syntax" in error
    short = warehouse.put(f"{prefix}/short.csv", b"1,a,2\n2,b\n")
    error = warehouse.fail(copy(warehouse, target, short, "CSV"))
    assert f"file {short}, line 2, column 'gross', reason: Delimiter not found" in error


def test_copy_acts_as_its_role(warehouse: Warehouse, table: str, prefix: str) -> None:
    source = warehouse.put_parquet(f"{prefix}/a.parquet", ROWS[1:2])
    base = warehouse.role.rpartition("/")[0]
    error = warehouse.fail(copy(warehouse, table, source, role=f"{base}/contract-listing-only"))
    assert "Status 403" in error and f"cannot read {source} as {base}/contract-listing-only" in error
    error = warehouse.fail(copy(warehouse, table, source, role=f"{base}/contract-trusts-glue"))
    assert "not authorized to assume IAM Role" in error
    error = warehouse.fail(copy(warehouse, table, source, role=f"{base}/a-stranger"))
    assert f"a-stranger is not associated with namespace {warehouse.name}" in error


# ---------------------------------------------------------------- UNLOAD


def unload(warehouse: Warehouse, query: str, prefix: str, options: str = "", role: str = "") -> str:
    quoted = query.replace("'", "''")
    return (f"UNLOAD ('{quoted}') TO 's3://{warehouse.bucket}/{prefix}' IAM_ROLE '{role or warehouse.role}' "
            f"FORMAT AS PARQUET {options}")  # fmt: skip


@pytest.mark.parametrize("rows", [ROWS, []], ids=["rows", "no rows"])
def test_unload_writes_parquet_with_the_types_of_the_query(
    warehouse: Warehouse, table: str, prefix: str, rows: list[list[Any]]
) -> None:
    for row in rows:
        source = warehouse.put_parquet(f"{prefix}/in/{row[0]}", [[row[0], row[1] and row[1][:10], *row[2:]]])
        warehouse.run(copy(warehouse, table, source))
    state = warehouse.run(unload(warehouse, f"SELECT * FROM {table} ORDER BY id", f"{prefix}/out/"))
    assert state["ResultRows"] == len(rows)
    assert warehouse.keys(f"{prefix}/out/") == [f"{prefix}/out/0000_part_00.parquet"]
    found = warehouse.read_parquet(f"{prefix}/out/0000_part_00.parquet")
    naive = SCHEMA.set(4, pa.field("seen_at", pa.timestamp("us")))
    assert found.schema.equals(naive, check_metadata=False)
    expected = [
        [row[0], row[1] and row[1][:10], *row[2:4], row[4] and row[4].replace(tzinfo=None), *row[5:]] for row in rows
    ]
    assert [list(row.values()) for row in found.to_pylist()] == expected


def test_unload_does_not_overwrite_unless_told_to(warehouse: Warehouse, prefix: str) -> None:
    warehouse.put(f"{prefix}/out/old", b"old")
    error = warehouse.fail(unload(warehouse, "SELECT 1 AS a", f"{prefix}/out/"))
    assert "destination on S3 is not empty" in error
    warehouse.run(unload(warehouse, "SELECT 1 AS a", f"{prefix}/out/", "ALLOWOVERWRITE"))
    assert warehouse.keys(f"{prefix}/out/") == [f"{prefix}/out/0000_part_00.parquet", f"{prefix}/out/old"]
    warehouse.run(unload(warehouse, "SELECT 1 AS a", f"{prefix}/out/", "CLEANPATH PARALLEL OFF"))
    assert warehouse.keys(f"{prefix}/out/") == [f"{prefix}/out/000.parquet"]


def test_unload_writes_a_folder_per_partition(warehouse: Warehouse, prefix: str) -> None:
    query = "SELECT 1 AS a, DATE '2026-01-02' AS dt UNION ALL SELECT 2, DATE '2026-01-03' UNION ALL SELECT 3, NULL"
    warehouse.run(unload(warehouse, query, f"{prefix}/out", "PARTITION BY (dt)"))
    folders = ["dt=2026-01-02", "dt=2026-01-03", "dt=__HIVE_DEFAULT_PARTITION__"]
    keys = [f"{prefix}/out/{folder}/0000_part_00.parquet" for folder in folders]
    assert warehouse.keys(f"{prefix}/out") == keys
    assert [warehouse.read_parquet(key).to_pylist() for key in keys] == [[{"a": 1}], [{"a": 2}], [{"a": 3}]]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT 1 AS a LIMIT 1", "Limit clause is not supported"),
        ("DELETE FROM t", "UNLOAD takes a SELECT"),
        ("SELECT SUM(1.5) AS total", "column 'total' of UNLOAD has a DECIMAL without declared digits"),
        ("SELECT 1 AS a, 2 AS a", "a name of its own for each column"),
    ],
)
def test_a_query_that_cannot_be_unloaded_is_refused(warehouse: Warehouse, prefix: str, query: str, reason: str) -> None:
    assert reason in warehouse.fail(unload(warehouse, query, f"{prefix}/out/"))
    assert warehouse.keys(f"{prefix}/out/") == []


def test_unload_acts_as_its_role(warehouse: Warehouse, prefix: str) -> None:
    role = warehouse.role.rpartition("/")[0] + "/contract-listing-only"
    error = warehouse.fail(unload(warehouse, "SELECT 1 AS a", f"{prefix}/out/", role=role))
    assert "Status 403" in error and "cannot write" in error


# ---------------------------------------------------------------- namespaces, stacks, permissions


def test_a_stack_makes_a_namespace_and_a_workgroup(
    emulator: Emulator, deploy_stack: Callable[..., dict[str, str]]
) -> None:
    name = f"stack-{uuid.uuid4().hex[:8]}"
    outputs = deploy_stack({
        "Resources": {
            "Space": {"Type": "AWS::RedshiftServerless::Namespace", "Properties": {
                "NamespaceName": name, "DbName": DATABASE, "ManageAdminPassword": True, "IamRoles": [],
                "Tags": [{"Key": "owner", "Value": "data"}]}},
            "Group": {"Type": "AWS::RedshiftServerless::Workgroup", "Properties": {
                "WorkgroupName": name, "NamespaceName": {"Ref": "Space"}, "BaseCapacity": "8"}},
        },
        "Outputs": {
            "Space": {"Value": {"Ref": "Space"}}, "Group": {"Value": {"Ref": "Group"}},
            "SpaceArn": {"Value": {"Fn::GetAtt": ["Space", "Namespace.NamespaceArn"]}},
            "GroupArn": {"Value": {"Fn::GetAtt": ["Group", "Workgroup.WorkgroupArn"]}},
            "GroupId": {"Value": {"Fn::GetAtt": ["Group", "Workgroup.WorkgroupId"]}},
            "Address": {"Value": {"Fn::GetAtt": ["Group", "Workgroup.Endpoint.Address"]}},
        },
    })  # fmt: skip
    assert (outputs["Space"], outputs["Group"], outputs["Address"]) == (name, name, "127.0.0.1")
    assert outputs["GroupArn"] == f"arn:aws:redshift-serverless:us-east-1:{ACCOUNT}:workgroup/{outputs['GroupId']}"
    serverless = emulator.client("redshift-serverless")
    assert serverless.get_namespace(namespaceName=name)["namespace"]["namespaceArn"] == outputs["SpaceArn"]
    assert serverless.get_workgroup(workgroupName=name)["workgroup"]["baseCapacity"] == 8
    tags = serverless.list_tags_for_resource(resourceArn=outputs["SpaceArn"])["tags"]
    assert {"key": "owner", "value": "data"} in tags
    with pytest.raises(ClientError, match="delete it first"):
        serverless.delete_namespace(namespaceName=name)


def test_a_caller_needs_a_policy_on_the_workgroup(
    warehouse: Warehouse, make_role: Callable[..., str], emulator: Emulator
) -> None:
    arn = emulator.client("redshift-serverless").get_workgroup(workgroupName=warehouse.name)["workgroup"][
        "workgroupArn"
    ]
    sign_in, execute = "redshift-serverless:GetCredentials", "redshift-data:ExecuteStatement"
    make_role("may-execute", [{"Effect": "Allow", "Action": [execute, sign_in], "Resource": arn}])
    make_role("may-not-sign-in", [{"Effect": "Allow", "Action": execute, "Resource": arn}])
    make_role("other-workgroup", [{"Effect": "Allow", "Action": [execute, sign_in], "Resource": f"{arn}x"}])
    request = {"WorkgroupName": warehouse.name, "Database": DATABASE, "Sql": "SELECT 1"}
    assert emulator.role_client("redshift-data", "may-execute").execute_statement(**request)["Id"]
    with pytest.raises(ClientError, match="AccessDenied"):
        emulator.role_client("redshift-data", "other-workgroup").execute_statement(**request)
    with pytest.raises(ClientError, match=f"{sign_in} on resource: {arn}"):
        emulator.role_client("redshift-data", "may-not-sign-in").execute_statement(**request)
    with pytest.raises(ClientError, match="AccessDenied"):
        emulator.role_client("redshift-data", "may-execute").list_statements()


# ---------------------------------------------------------------- over a restart


def saved(warehouse: Warehouse) -> None:
    """Wait for the next regular save of the emulator's state."""
    time.sleep(2.5)


def test_a_kill_loses_no_statement_and_repeats_none(warehouse: Warehouse, table: str, warehouse_dsn: str) -> None:
    """One statement had committed when the emulator was killed, one had not: both ends are told as they are."""
    finished = warehouse.run("SELECT 5 AS kept")["Id"]
    token = uuid.uuid4().hex
    holder = psycopg2.connect(warehouse_dsn)
    holder.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    stuck = warehouse.submit(f"INSERT INTO {table} (id) VALUES (1)", ClientToken=token)
    saved(warehouse)
    committed = warehouse.submit(f"CREATE TABLE {table}_late (a INT)", ClientToken=f"{token}-late")
    assert warehouse.wait(committed)["Status"] == "FINISHED"
    warehouse.emulator.restart(with_signal=signal.SIGKILL)
    release = threading.Timer(0.5, holder.close)
    release.start()
    try:
        state = warehouse.wait(stuck)
        assert state["Status"] == "ABORTED"
        assert "the local AWS was stopped while the statement ran" in state["Error"]
        assert warehouse.client.get_statement_result(Id=finished)["Records"] == [[{"longValue": 5}]]
    finally:
        release.join()
    assert warehouse.rows(f"SELECT count(*) FROM {table}") == [[0]]
    # The record of this one may be lost with the kill; its token still is not run twice.
    again = warehouse.submit(f"CREATE TABLE {table}_late (a INT)", ClientToken=f"{token}-late")
    assert warehouse.wait(again)["Status"] == "FINISHED"
    warehouse.run(f"DROP TABLE {table}_late")


def test_namespaces_and_results_outlive_a_stop(warehouse: Warehouse) -> None:
    statement = warehouse.run("SELECT 'kept' AS a")["Id"]
    warehouse.emulator.restart()
    assert warehouse.client.get_statement_result(Id=statement)["Records"] == [[{"stringValue": "kept"}]]
    assert warehouse.rows("SELECT 1") == [[1]]
