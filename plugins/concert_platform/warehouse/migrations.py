"""Migrations: the numbered files of include/sql/migrations, each applied once and recorded in quality.schema_version.

Numbers may be applied out of order, because parts of the platform own ranges of them; a file that is applied never
changes: what it says is what the warehouse has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from concert_platform.resources import resource
from concert_platform.sql_values import sql_slug
from concert_platform.warehouse.data_api import (
    LONGEST_SQL,
    MOST_STATEMENTS,
    StatementFailedError,
    execute_batch,
    query,
)
from concert_platform.warehouse.sql_files import matches, render

PATTERN = "migrations/*.sql"
APPLIED_SQL = "SELECT number, name, checksum FROM quality.schema_version ORDER BY number"
_NAME = re.compile(r"migrations/(\d{4})_([a-z0-9_]+)\.sql")
_MOST_MIGRATIONS = MOST_STATEMENTS - 1  # the last statement of a batch records them
_ROOM = 10_000  # bytes of a batch that the record may take

Send = Callable[[Sequence[str], str], object]


class MigrationError(RuntimeError):
    """The files and what the warehouse has recorded do not agree."""


@dataclass(frozen=True)
class Migration:
    """:param checksum: SHA-256 of the file in hex"""

    number: int
    name: str
    file: str
    checksum: str


def migrations() -> list[Migration]:
    """The files in the order of their numbers.

    :raises MigrationError: when a name is malformed or a number stands twice
    """
    found: dict[int, Migration] = {}
    for file in matches(PATTERN):
        named = _NAME.fullmatch(file)
        if not named:
            raise MigrationError(f"include/sql/{file} is no migration: name it NNNN_<what>.sql")
        number = int(named[1])
        if number in found:
            raise MigrationError(f"{found[number].file} and {file} have the same number: renumber one of them")
        content = (resource("include/sql") / file).read_bytes()
        found[number] = Migration(number, named[2], file, sha256(content).hexdigest())
    return [found[number] for number in sorted(found)]


def migrate(send: Send | None = None) -> list[str]:
    """Apply what is not applied yet; returns the files. Asks one question when there is nothing to do.

    :param send: runs a transaction and waits; it gets the statements and a name that is the same for the same files
    :raises MigrationError: when an applied file has changed
    :raises StatementFailedError: when a migration fails, which undoes its batch
    """
    pending = pending_migrations()
    for batch in batches(pending):
        statements = [*render([one.file for one in batch]), _record(batch)]
        name = f"{batch[0].number}-{batch[-1].number}"
        (send or (lambda sqls, _: execute_batch(sqls)))(statements, name)
    return [one.file for one in pending]


def pending_migrations() -> list[Migration]:
    """:raises MigrationError: when an applied file has changed"""
    applied = {int(number): (name, checksum) for number, name, checksum in _applied()}
    for one in migrations():
        if one.number in applied and applied[one.number] != (one.name, one.checksum):
            name, checksum = applied[one.number]
            raise MigrationError(
                f"include/sql/{one.file} was applied as {one.number:04d}_{name} with checksum {checksum[:12]} and has "
                f"{one.checksum[:12]} now: restore the file and put the change into a new migration"
            )
    return [one for one in migrations() if one.number not in applied]


def _applied() -> list[list[str]]:
    try:
        return query(APPLIED_SQL)
    except StatementFailedError as error:
        if "does not exist" in str(error):  # a warehouse without any migration
            return []
        raise


def batches(pending: Sequence[Migration]) -> Iterator[list[Migration]]:
    """The migrations as transactions that the Data API takes; a file is never divided."""
    batch: list[Migration] = []
    statements = size = 0
    for one in pending:
        own = render([one.file])
        length = sum(len(statement.encode()) for statement in own)
        if batch and (statements + len(own) > _MOST_MIGRATIONS or size + length > LONGEST_SQL - _ROOM):
            yield batch
            batch, statements, size = [], 0, 0
        batch.append(one)
        statements, size = statements + len(own), size + length
    if batch:
        yield batch


def _record(batch: Sequence[Migration]) -> str:
    rows = ", ".join(f"({one.number:d}, {sql_slug(one.name)}, {sql_slug(one.checksum)}, GETDATE())" for one in batch)
    return f"INSERT INTO quality.schema_version (number, name, checksum, applied_at) VALUES {rows}"  # noqa: S608
