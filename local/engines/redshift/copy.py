"""COPY: objects of S3 into a table, inside the transaction of the statement."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from local.engines.redshift import StatementError, failures
from local.engines.redshift.options import CopyOptions, S3Place
from local.engines.redshift.sources import Column, RowError, text_rows
from local.engines.redshift.storage import SourceObject, Storage, manifest_entries
from local.engines.redshift.tokens import render

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 65536
_COLUMNS_SQL = """
    SELECT a.attname, t.typname, a.atttypmod, a.attidentity
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""


def copy(cursor: Any, options: CopyOptions, storage: Storage) -> int:
    """Load every object, or raise.

    :return: number of rows
    :raises StatementError: naming file, line, column and reason
    """
    table = render(options.table)
    columns = target_columns(cursor, table, options)
    rows = 0
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table})")  # noqa: S608 - the caller's own COPY
    was_empty = not cursor.fetchone()[0]
    for source in _objects(options, storage):
        body = storage.read(source.place)
        try:
            if options.format == "PARQUET":
                rows += _load_parquet(cursor, table, columns, body, source.place)
            else:
                rows += _load_text(cursor, table, columns, body, options)
        except RowError as error:
            raise _load_failed(table, source.place, error.line, error.column, error.reason) from error
        except psycopg2.errors.QueryCanceled:
            raise
        except psycopg2.Error as error:
            line, column, reason = failures.load_error(error)
            raise _load_failed(table, source.place, line, column, reason) from error
        except StatementError as error:
            raise _load_failed(table, source.place, 0, "", str(error)) from error
    if was_empty and rows:
        cursor.execute(f"ANALYZE {table}")  # as Redshift does with STATUPDATE left at its default
    return rows


def target_columns(cursor: Any, table: str, options: CopyOptions) -> list[Column]:
    """The columns that the files fill: those of the list, else all but an IDENTITY column.

    :raises StatementError: when a listed column does not exist
    """
    cursor.execute(_COLUMNS_SQL, (table,))
    found: dict[str, Column] = {}
    identity: set[str] = set()
    for name, kind, modifier, generated in cursor.fetchall():
        digits = modifier - 4 if kind == "numeric" and modifier >= 4 else 0
        found[name] = Column(name, kind, digits >> 16, digits & 0xFFFF)
        identity |= {name} if generated else set()
    if unknown := [name for name in options.columns if name not in found]:
        raise StatementError(f'ERROR: column "{unknown[0]}" of relation "{table}" does not exist')
    listed = options.columns or [name for name in found if name not in identity]
    if (wrong := identity.intersection(listed)) and "EXPLICIT_IDS" not in options.flags:
        raise StatementError(f'ERROR: cannot set identity column "{min(wrong)}" of "{table}": COPY needs EXPLICIT_IDS')
    return [found[name] for name in listed]


def _objects(options: CopyOptions, storage: Storage) -> list[SourceObject]:
    if "MANIFEST" in options.flags:
        return manifest_entries(storage, options.source, columnar=options.format == "PARQUET")
    listed = storage.objects(options.source)
    if not listed:
        raise StatementError(f"ERROR: The specified S3 prefix '{options.source.key}' does not exist: {options.source}")
    return [source for source in listed if source.size]


def _load_failed(table: str, place: S3Place, line: int, column: str, reason: str) -> StatementError:
    where = f", line {line}" if line else ""
    where += f", column {column!r}" if column else ""
    return StatementError(f"ERROR: Load into table '{table}' failed: file {place}{where}, reason: {reason}")


def _copy_sql(cursor: Any, table: str, columns: Sequence[Column], form: str) -> str:
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns).as_string(cursor)
    return f"COPY {table} ({names}) FROM STDIN WITH ({form})"


# ---------------------------------------------------------------- CSV and JSON


def _load_text(cursor: Any, table: str, columns: Sequence[Column], body: bytes, options: CopyOptions) -> int:
    lines: list[int] = []

    def chunks() -> Iterator[bytes]:
        for line, row in text_rows(body, columns, options):
            lines.append(line)
            yield row.encode()

    stream = io.BytesIO(b"".join(chunks()))
    try:
        cursor.copy_expert(_copy_sql(cursor, table, columns, "FORMAT text"), stream)
    except psycopg2.errors.QueryCanceled:
        raise
    except psycopg2.Error as error:
        row, column, reason = failures.load_error(error)
        raise RowError(lines[row - 1] if 0 < row <= len(lines) else 0, column, reason) from error
    return int(cursor.rowcount)


# ---------------------------------------------------------------- Parquet


def _load_parquet(cursor: Any, table: str, columns: Sequence[Column], body: bytes, place: S3Place) -> int:
    """By position, as Redshift does: the names in the file mean nothing."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        parquet = pyarrow.parquet.ParquetFile(pa.BufferReader(body))
    except (pa.ArrowInvalid, OSError) as error:
        raise StatementError(f"it is no Parquet file: {failures.one_line(str(error))}") from error
    schema = parquet.schema_arrow
    if len(schema) != len(columns):
        raise StatementError(
            "Unmatched number of columns between table and file. "
            f"Table columns: {len(columns)}, Data columns: {len(schema)}"
        )
    for column, source in zip(columns, schema, strict=True):
        if not fits(column, source.type):
            raise StatementError(
                f"Spectrum Scan Error: File '{place}' has an incompatible Parquet schema for column "
                f"'{column.name}'. Column type: {_redshift_type(column)}, Parquet type: {source.type} {source.name}"
            )
    options = pyarrow.csv.WriteOptions(include_header=False)
    stream = io.BytesIO()
    try:
        for batch in parquet.iter_batches(BATCH_ROWS):
            arrays = [_as_text(array) for array in batch.columns]
            pyarrow.csv.write_csv(pa.RecordBatch.from_arrays(arrays, names=schema.names), stream, options)
    except (pa.ArrowInvalid, OSError) as error:
        raise StatementError(f"it cannot be read as Parquet: {failures.one_line(str(error))}") from error
    stream.seek(0)
    cursor.copy_expert(_copy_sql(cursor, table, columns, "FORMAT csv"), stream)
    return int(cursor.rowcount)


def fits(column: Column, kind: pa.DataType) -> bool:
    """Whether Redshift loads a Parquet column of this type into the column: it converts almost nothing."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    checks = {
        "int2": types.is_int8(kind) or types.is_int16(kind),
        "int4": types.is_int32(kind) or types.is_uint16(kind),
        "int8": types.is_int64(kind) or types.is_uint32(kind),
        "float4": types.is_float32(kind),
        "float8": types.is_float64(kind),
        "bool": types.is_boolean(kind),
        "date": types.is_date32(kind),
        "timestamp": types.is_timestamp(kind),
        "timestamptz": types.is_timestamp(kind),
        "varchar": types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind),
        "bpchar": types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind),
        "numeric": types.is_decimal(kind) and kind.scale == column.scale and kind.precision <= column.precision,
    }
    return checks.get(column.kind, False)


def _redshift_type(column: Column) -> str:
    names = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT", "float4": "REAL", "float8": "DOUBLE",
             "bool": "BOOLEAN", "bpchar": "CHAR", "jsonb": "SUPER",
             "numeric": f"DECIMAL({column.precision}, {column.scale})"}  # fmt: skip
    return names.get(column.kind, column.kind.upper())


def _as_text(array: pa.Array) -> pa.Array:
    """An array that pyarrow writes to CSV as PostgreSQL reads it."""
    import pyarrow as pa

    if pa.types.is_timestamp(array.type):
        # Nanoseconds are cut to microseconds; an instant becomes UTC without a zone.
        return array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.timestamp("us"))
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    if pa.types.is_binary(array.type):
        return array.cast(pa.string())
    return array
