"""The Redshift Data API: statements, results, transactions, and what outlives a restart."""

import signal
import threading
import uuid
from collections.abc import Callable

import psycopg2
import pytest
from botocore.exceptions import ClientError

from tests.contract.conftest import ACCOUNT, Emulator
from tests.contract.redshift_client import (  # noqa: F401 - fixtures are found by name
    DATABASE,
    Warehouse,
    module_role,
    prefix,
    refusal,
    table,
    warehouse,
)
from tests.deadlines import until

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


def has_begun(warehouse: Warehouse, statement_id: str) -> bool:
    return warehouse.client.describe_statement(Id=statement_id)["Status"] not in ("SUBMITTED", "PICKED")


def test_a_cancelled_statement_is_aborted(warehouse: Warehouse) -> None:
    statement = warehouse.submit("SELECT pg_sleep(3600)")
    until(lambda: has_begun(warehouse, statement))
    assert warehouse.client.cancel_statement(Id=statement)["Status"] is True
    assert warehouse.wait(statement)["Status"] == "ABORTED"
    message = refusal(lambda: warehouse.client.cancel_statement(Id=statement))
    assert message.startswith("Could not cancel a query that is already in ABORTED state")


def test_a_long_query_does_not_hold_up_the_service(warehouse: Warehouse) -> None:
    statement = warehouse.submit("SELECT pg_sleep(3600)")
    assert warehouse.rows("SELECT 1") == [[1]]
    assert warehouse.client.describe_statement(Id=statement)["Status"] in ("SUBMITTED", "PICKED", "STARTED")
    until(lambda: has_begun(warehouse, statement))
    warehouse.client.cancel_statement(Id=statement)


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


def saved(warehouse: Warehouse, statement_id: str) -> None:
    """Wait until the emulator's regular save has a statement."""
    folder = warehouse.emulator.directory / "ministack"
    until(lambda: any(statement_id in path.read_text() for path in folder.glob("*.json")))


def test_a_kill_loses_no_statement_and_repeats_none(warehouse: Warehouse, table: str, warehouse_dsn: str) -> None:
    """One statement had committed when the emulator was killed, one had not: both ends are told as they are."""
    finished = warehouse.run("SELECT 5 AS kept")["Id"]
    token = uuid.uuid4().hex
    holder = psycopg2.connect(warehouse_dsn)
    holder.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    stuck = warehouse.submit(f"INSERT INTO {table} (id) VALUES (1)", ClientToken=token)
    saved(warehouse, stuck)
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
