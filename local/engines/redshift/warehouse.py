"""Connections to PostgreSQL, transactions, and the results of queries."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions

from local.engines.redshift import StatementError, failures
from local.engines.redshift.copy import copy
from local.engines.redshift.options import parse_copy, parse_unload
from local.engines.redshift.rewriter import OUTSIDE_TRANSACTIONS, READS_ONLY, Rewritten
from local.engines.redshift.storage import Storage
from local.engines.redshift.unload import unload

COMPATIBILITY = Path(__file__).with_name("compatibility.sql")
KEEP_LOG = "1 day"  # a client token names its statement for 8 hours
LONGEST_ROW = 64 * 1024  # bytes of one row that the Data API returns
LARGEST_RESULT = 100 * 1024 * 1024  # bytes

# Of a function that two schemas hold, Redshift's wins over PostgreSQL's. A transaction sees a snapshot, as on Redshift.
_SESSION = (
    "-c search_path=public,redshift_compatibility,pg_catalog -c timezone=UTC "
    "-c default_transaction_isolation=repeatable\\ read -c random_page_cost=1.1"
)
# type code -> (name that the Data API shows, field that holds a value)
_TYPES = {
    16: ("bool", "booleanValue"), 21: ("int2", "longValue"), 23: ("int4", "longValue"), 20: ("int8", "longValue"),
    26: ("oid", "longValue"), 700: ("float4", "doubleValue"), 701: ("float8", "doubleValue"),
    1700: ("numeric", "stringValue"), 1082: ("date", "stringValue"), 1083: ("time", "stringValue"),
    1114: ("timestamp", "stringValue"), 1184: ("timestamptz", "stringValue"), 1042: ("bpchar", "stringValue"),
    3802: ("super", "stringValue"),
}  # fmt: skip
_AS_TEXT = (17, 114, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 3802)

OpenStorage = Callable[[str], Storage]


class AlreadyCommittedError(Exception):
    """A statement of the same client token has committed, though its record was lost."""


@dataclass
class Outcome:
    """:param rows: returned or affected; :param columns: ColumnMetadata, or None without a result set"""

    rows: int = 0
    columns: list[dict[str, Any]] | None = None
    records: list[list[dict[str, Any]]] = field(default_factory=list)
    size: int = 0  # bytes


class Session:
    """One transaction of one request.

    :param label: application_name of the connection, so that a later emulator finds what it left behind
    """

    def __init__(self, dsn: str, database: str, label: str) -> None:
        self.connection = psycopg2.connect(
            dsn, dbname=database, options=_SESSION, application_name=label, connect_timeout=10
        )
        self._cancelled = threading.Event()
        self._ending = threading.Lock()

    @property
    def pid(self) -> int:
        return int(self.connection.get_backend_pid())

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Interrupt the statement; after the commit has begun nothing happens."""
        with self._ending:
            if not self.connection.closed:
                self._cancelled.set()
                self.connection.cancel()

    def refuse_repeated(self, client_token: str | None) -> None:
        """Look before the transaction begins: a look inside it would take its snapshot before its first LOCK.

        :raises AlreadyCommittedError: when a statement of the same client token has committed
        """
        if client_token:
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM redshift_compatibility.statement_log WHERE client_token = %s", (client_token,)
                )
                found = cursor.fetchone()
            self.connection.rollback()
            if found:
                raise AlreadyCommittedError

    def log(self, statement_id: str, client_token: str | None) -> None:
        """Note in the transaction itself, as its last statement, that it will have happened.

        :raises AlreadyCommittedError: when one of the same client token has
        """
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(
                    "INSERT INTO redshift_compatibility.statement_log (id, client_token) VALUES (%s, %s)",
                    (statement_id, client_token),
                )
            except psycopg2.errors.UniqueViolation as error:
                raise AlreadyCommittedError from error

    def run(self, statement: Rewritten, parameters: Mapping[str, str], open_storage: OpenStorage) -> Outcome:
        """:raises StatementError: with the one line that DescribeStatement shows"""
        if self.cancelled:
            raise StatementError("ERROR: Query cancelled on user's request")
        try:
            with self.connection.cursor() as cursor:
                extensions.register_type(_TEXT, cursor)
                return self._run(cursor, statement, parameters, open_storage)
        except psycopg2.Error as error:
            raise StatementError(failures.message(error)) from error

    def _run(
        self, cursor: Any, statement: Rewritten, parameters: Mapping[str, str], open_storage: OpenStorage
    ) -> Outcome:
        if statement.kind == "COPY":
            options = parse_copy(statement.tokens)
            return Outcome(copy(cursor, options, open_storage(options.role)))
        if statement.kind == "UNLOAD":
            unloading = parse_unload(statement.tokens)
            return Outcome(unload(cursor, unloading, open_storage(unloading.role)))
        if statement.kind in OUTSIDE_TRANSACTIONS:
            self.connection.autocommit = True
        if parameters:
            cursor.execute(statement.bindable(), dict(parameters))
        else:
            cursor.execute(statement.sql)
        if cursor.description is None:
            return Outcome(max(cursor.rowcount, 0))
        return _result(cursor)

    def commit(self) -> None:
        """:raises StatementError: when the transaction was cancelled or cannot be committed"""
        with self._ending:
            if self.cancelled:
                raise StatementError("ERROR: Query cancelled on user's request")
            try:
                self.connection.commit()
            except psycopg2.Error as error:
                raise StatementError(failures.message(error)) from error
            finally:
                self.connection.close()

    def close(self) -> None:
        """Roll back what was not committed."""
        with self._ending:
            self.connection.close()


_TEXT = extensions.new_type(_AS_TEXT, "AS_TEXT", lambda value, cursor: value)


def _result(cursor: Any) -> Outcome:
    names = [column.name for column in cursor.description]
    kinds = [_TYPES.get(column.type_code, ("varchar", "stringValue")) for column in cursor.description]
    outcome = Outcome(
        columns=[_metadata(column, kind[0]) for column, kind in zip(cursor.description, kinds, strict=True)]
    )
    for row in cursor:
        record = [
            {"isNull": True} if value is None else {kind[1]: value} for value, kind in zip(row, kinds, strict=True)
        ]
        size = sum(len(str(value).encode()) for value in row if value is not None)
        if size > LONGEST_ROW:
            longest = max(zip(row, names, strict=True), key=lambda pair: len(str(pair[0])))[1]
            raise StatementError(
                f"ERROR: a row of {size} bytes exceeds the 64 KB of the Data API: see column {longest!r}"
            )
        outcome.size += size
        if outcome.size > LARGEST_RESULT:
            raise StatementError("ERROR: the result exceeds the 100 MB of the Data API: use UNLOAD")
        outcome.records.append(record)
    outcome.rows = len(outcome.records)
    return outcome


def _metadata(column: Any, type_name: str) -> dict[str, Any]:
    is_text = type_name in ("varchar", "bpchar")
    length = column.internal_size if is_text and column.internal_size and column.internal_size > 0 else 0
    return {
        "name": column.name, "label": column.name, "typeName": type_name, "nullable": 1, "schemaName": "",
        "tableName": "", "isCaseSensitive": is_text, "isCurrency": False, "isSigned": not is_text,
        "precision": column.precision or length, "scale": column.scale or 0, "length": length,
    }  # fmt: skip


class Warehouse:
    """The databases of one PostgreSQL server."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._ready: set[str] = set()
        self._lock = threading.Lock()

    def session(self, database: str, label: str) -> Session:
        """:raises StatementError: when PostgreSQL does not answer"""
        try:
            self._prepare(database)
            return Session(self._dsn, database, label)
        except psycopg2.Error as error:
            raise StatementError(f"FATAL: the warehouse does not answer: {failures.one_line(str(error))}") from error

    def _prepare(self, database: str) -> None:
        """Create the database and the compatibility functions where they are missing or old."""
        with self._lock:
            if database in self._ready:
                return
            if extensions.parse_dsn(self._dsn).get("dbname") != database:
                self._create_database(database)
            content = COMPATIBILITY.read_text()
            version = hashlib.sha256(content.encode()).hexdigest()
            connection = psycopg2.connect(self._dsn, dbname=database, connect_timeout=10)
            try:
                with connection, connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(8201)")
                    cursor.execute("SELECT obj_description(to_regnamespace('redshift_compatibility'), 'pg_namespace')")
                    if cursor.fetchone() != (version,):
                        cursor.execute(content)
                        cursor.execute("COMMENT ON SCHEMA redshift_compatibility IS %s", (version,))
                    cursor.execute(
                        "DELETE FROM redshift_compatibility.statement_log WHERE committed_at < now() - %s::interval",
                        (KEEP_LOG,),
                    )
            finally:
                connection.close()
            self._ready.add(database)

    def _create_database(self, database: str) -> None:
        connection = psycopg2.connect(self._dsn, connect_timeout=10)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {extensions.quote_ident(database, cursor)}")
        finally:
            connection.close()

    def has_committed(self, database: str, statement_id: str, label: str) -> bool:
        """What became of a statement that an earlier emulator left under way; ends it where it still runs.

        :raises StatementError: when PostgreSQL does not answer
        """
        session = self.session(database, f"{label}-look")
        try:
            session.connection.autocommit = True
            with session.connection.cursor() as cursor:
                for _ in range(200):
                    cursor.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s",
                        (label,),
                    )
                    if cursor.fetchone() == (0,):
                        break
                    time.sleep(0.05)
                cursor.execute("SELECT 1 FROM redshift_compatibility.statement_log WHERE id = %s", (statement_id,))
                return cursor.fetchone() is not None
        finally:
            session.close()

    def tables(self, database: str, schema_pattern: str, table_pattern: str) -> list[dict[str, str]]:
        """Tables and views, in the form of ListTables; patterns are those of LIKE."""
        session = self.session(database, "list-tables")
        try:
            with session.connection.cursor() as cursor:
                cursor.execute(
                    "SELECT table_name, table_schema, table_type FROM information_schema.tables "
                    "WHERE table_schema LIKE %s AND table_name LIKE %s "
                    "AND table_schema NOT IN ('redshift_compatibility', 'pg_catalog', 'information_schema') "
                    "ORDER BY table_schema, table_name",
                    (schema_pattern, table_pattern),
                )
                kinds = {"BASE TABLE": "TABLE", "VIEW": "VIEW", "LOCAL TEMPORARY": "LOCAL TEMPORARY"}
                return [{"name": name, "schema": schema, "type": kinds.get(kind, kind)}
                        for name, schema, kind in cursor.fetchall()]  # fmt: skip
        finally:
            session.close()


def save_result(path: Path, outcome: Outcome) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for line in ([outcome.columns or [], outcome.rows], *outcome.records):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_result(path: Path, offset: int, limit: int) -> tuple[list[dict[str, Any]], int, list[Any]]:
    """(ColumnMetadata, rows in all, the records from `offset`)."""
    with path.open(encoding="utf-8") as file:
        columns, total = json.loads(file.readline())
        records = [json.loads(line) for index, line in enumerate(file) if offset <= index < offset + limit]
    return columns, total, records


def writes(statements: Sequence[Rewritten]) -> bool:
    """Whether a transaction of these statements leaves something behind."""
    return any(statement.kind not in READS_ONLY | OUTSIDE_TRANSACTIONS for statement in statements)
