"""COPY and UNLOAD: real files in the emulated S3, read and written under the role that the statement names."""

import gzip
import json
import uuid

import pyarrow as pa
import pytest

from tests.contract.redshift_client import (  # noqa: F401 - fixtures are found by name
    ROWS,
    SCHEMA,
    Warehouse,
    module_role,
    parquet,
    prefix,
    table,
    warehouse,
)

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


def test_unload_of_no_row_writes_no_file(warehouse: Warehouse, table: str, prefix: str) -> None:
    state = warehouse.run(unload(warehouse, f"SELECT * FROM {table}", f"{prefix}/out/"))
    assert (state["ResultRows"], warehouse.keys(f"{prefix}/out/")) == (0, [])


def test_unload_writes_parquet_with_the_types_of_the_query(warehouse: Warehouse, table: str, prefix: str) -> None:
    for row in ROWS:
        source = warehouse.put_parquet(f"{prefix}/in/{row[0]}", [[row[0], row[1] and row[1][:10], *row[2:]]])
        warehouse.run(copy(warehouse, table, source))
    state = warehouse.run(unload(warehouse, f"SELECT * FROM {table} ORDER BY id", f"{prefix}/out/"))
    assert state["ResultRows"] == len(ROWS)
    assert warehouse.keys(f"{prefix}/out/") == [f"{prefix}/out/0000_part_00.parquet"]
    found = warehouse.read_parquet(f"{prefix}/out/0000_part_00.parquet")
    naive = SCHEMA.set(4, pa.field("seen_at", pa.timestamp("us")))
    assert found.schema.equals(naive, check_metadata=False)
    expected = [
        [row[0], row[1] and row[1][:10], *row[2:4], row[4] and row[4].replace(tzinfo=None), *row[5:]] for row in ROWS
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
