"""UNLOAD: the rows of a query into Parquet files in S3."""

from __future__ import annotations

import io
import urllib.parse
from typing import TYPE_CHECKING, Any

from local.engines.redshift import StatementError
from local.engines.redshift.options import S3Place, UnloadOptions
from local.engines.redshift.rewriter import rewrite
from local.engines.redshift.storage import Storage

if TYPE_CHECKING:
    import pyarrow as pa

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_PARALLEL_NAME, _SERIAL_NAME = "0000_part_00.parquet", "000.parquet"
_NUMERIC = 1700


def unload(cursor: Any, options: UnloadOptions, storage: Storage) -> int:
    """Write the query's rows; of none there is no file, as Redshift does it with Parquet.

    :return: number of rows
    :raises StatementError: when the query, the target or the role does not allow it
    """
    query = _query(options)
    schema = _schema(cursor, query)
    if missing := [name for name in options.partition_by if name not in schema.names]:
        raise StatementError(f"ERROR: PARTITION BY column {missing[0]!r} is not among the columns of the query")
    if options.partition_by and len(options.partition_by) == len(schema.names) and not options.include:
        raise StatementError("ERROR: UNLOAD cannot partition by every column of the query without INCLUDE")
    if not options.flags:
        _refuse_occupied(options.target, storage)
    table = _read(cursor, query, schema)
    files = _files(table, options) if table.num_rows else []
    if "CLEANPATH" in options.flags:
        _clean(options, [place for place, _ in files], storage)
    for place, part in files:
        storage.write(place, _parquet(part))
    return int(table.num_rows)


def _query(options: UnloadOptions) -> str:
    query = rewrite(options.query)
    if query.kind not in ("SELECT", "WITH"):
        raise StatementError(f"ERROR: UNLOAD takes a SELECT, not {query.kind}")
    depth = 0
    for token in query.tokens:
        depth += {"(": 1, ")": -1}.get(token.word, 0)
        if depth == 0 and token.word == "LIMIT":
            raise StatementError("ERROR: Limit clause is not supported in UNLOAD: put the query into a subselect")
    return query.sql


def _refuse_occupied(target: S3Place, storage: Storage) -> None:
    if occupied := storage.objects(target):
        raise StatementError(
            f"ERROR: Specified unload destination on S3 is not empty ({occupied[0].place}). Consider using a different "
            "bucket / prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option."
        )


# ---------------------------------------------------------------- rows


def _schema(cursor: Any, query: str) -> pa.Schema:
    """Parquet types from the types of the query, so that a result without rows has them too."""
    import pyarrow as pa

    cursor.execute(f"SELECT * FROM ({query}) AS unloaded LIMIT 0")  # noqa: S608 - the query is the caller's
    kinds: dict[int, pa.DataType] = {
        16: pa.bool_(), 21: pa.int16(), 23: pa.int32(), 20: pa.int64(), 700: pa.float32(), 701: pa.float64(),
        1082: pa.date32(), 1114: pa.timestamp("us"), 1184: pa.timestamp("us", "UTC"),
        25: pa.string(), 1042: pa.string(), 1043: pa.string(), 3802: pa.string(),
    }  # fmt: skip
    fields = []
    for column in cursor.description:
        if column.type_code == _NUMERIC and (not column.precision or column.precision > 38):
            raise StatementError(
                f"ERROR: column {column.name!r} of UNLOAD has a DECIMAL without declared digits: cast it, "
                "as in CAST(... AS DECIMAL(18, 2)) or BIGINT, so that the Parquet type does not hang on the rows"
            )
        kind = pa.decimal128(column.precision, column.scale) if column.type_code == _NUMERIC else None
        kind = kind or kinds.get(column.type_code)
        if kind is None:
            raise StatementError(f"ERROR: column {column.name!r} has a type that UNLOAD cannot write: cast it")
        fields.append(pa.field(column.name, kind))
    names = [field.name for field in fields]
    if len(set(names)) != len(names):
        raise StatementError(f"ERROR: UNLOAD needs a name of its own for each column: {', '.join(names)}")
    return pa.schema(fields)


def _read(cursor: Any, query: str, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    stream = io.BytesIO()
    cursor.copy_expert(f"COPY ({query}) TO STDOUT WITH (FORMAT csv)", stream)
    if not stream.tell():
        return schema.empty_table()
    stream.seek(0)
    # An instant comes with its zone as +00, which pyarrow does not read.
    readable = {field.name: pa.string() if field.type == pa.timestamp("us", "UTC") else field.type for field in schema}
    table = pyarrow.csv.read_csv(
        stream,
        read_options=pyarrow.csv.ReadOptions(column_names=schema.names, block_size=16 * 1024 * 1024),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=readable, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            true_values=["t"], false_values=["f"],
        ),
    )  # fmt: skip
    return pa.table([_instants(table.column(field.name), field.type) for field in schema], schema=schema)


def _instants(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type == kind:
        return column
    naive = pc.replace_substring_regex(column, r"\+00$", "")
    return naive.cast(pa.timestamp("us")).cast(kind)


# ---------------------------------------------------------------- files


def _files(table: pa.Table, options: UnloadOptions) -> list[tuple[S3Place, pa.Table]]:
    name = _PARALLEL_NAME if options.parallel else _SERIAL_NAME
    target = options.target
    if not options.partition_by:
        return [(S3Place(target.bucket, target.key + name), table)]
    base = target.key if target.key.endswith("/") or not target.key else target.key + "/"
    kept = table if options.include else table.drop_columns(options.partition_by)
    rows: dict[str, list[int]] = {}
    columns = [table.column(column).to_pylist() for column in options.partition_by]
    for index, values in enumerate(zip(*columns, strict=True)):
        folder = "/".join(
            f"{column}={_folder(value)}" for column, value in zip(options.partition_by, values, strict=True)
        )
        rows.setdefault(folder, []).append(index)
    return [(S3Place(target.bucket, f"{base}{folder}/{name}"), kept.take(taken)) for folder, taken in rows.items()]


def _folder(value: object) -> str:
    return _NULL_PARTITION if value is None else urllib.parse.quote(str(value), safe=" -_.,+@")


def _clean(options: UnloadOptions, written: list[S3Place], storage: Storage) -> None:
    """Remove what lies at the target: with PARTITION BY only in the partitions that get rows."""
    if options.partition_by:
        places = [S3Place(place.bucket, place.key.rpartition("/")[0] + "/") for place in written]
    else:
        places = [options.target]
    for place in places:
        for found in storage.objects(place):
            storage.delete(found.place)


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, compression="snappy")
    return stream.getvalue()
