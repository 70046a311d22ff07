"""The warehouse through the Redshift Data API, and the SQL files of include/sql that run there. No Airflow import.

query, execute_batch          run SQL and wait
submit_batch, describe, ...   the same in steps, for the operator and its trigger
render                        SQL files to statements, values checked by the filters of sql_values
loads_of                      what load_warehouse needs to know of each curated partition
check, record_failure         the gates after a load, and the note that there was none
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Any

from concert_platform.partitions import Partition
from concert_platform.resources import resource
from concert_platform.settings import settings
from concert_platform.sql_values import sql_date, sql_s3_uri, sql_slug

FINISHED = "FINISHED"
UNSUCCESSFUL = ("FAILED", "ABORTED")
TERMINAL = (FINISHED, *UNSUCCESSFUL)
MOST_STATEMENTS = 40  # of one BatchExecuteStatement
LONGEST_SQL = 100_000  # bytes of one BatchExecuteStatement
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0  # seconds between two looks

ENTITIES = ("event", "box_office", "interaction")
SCHEMA_FILES = ("schema/*.sql", "migrations/*.sql", "load/fill_dim_date.sql", "views/*.sql")
LOAD_FILES = (
    "load/delete_staging.sql",
    "load/copy_*.sql",
    "load/count_held.sql",
    "load/withdraw_rows.sql",
    "load/merge_*.sql",
    "load/maintain_*.sql",
    "load/audit.sql",
)
STREAM_SCHEMA_FILES = (
    "schema/_schemas.sql",
    "schema/quality_load_audit.sql",
    "schema/quality_quarantine.sql",
    "migrations/004[89]_*.sql",
    "migrations/005*.sql",
)
STREAM_FILES = (
    "stream/stage.sql",
    "stream/classify.sql",
    "stream/count.sql",
    "stream/quarantine.sql",
    "stream/merge_*.sql",
    "stream/record_objects.sql",
    "stream/audit.sql",
    "stream/drop_stage.sql",
)
_AUDIT_FILES = ("schema/_schemas.sql", "schema/quality_load_audit.sql")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}")
_PIECE = re.compile(r"(?P<kept>'(?:[^']|'')*'|\$\$.*?\$\$)|(?P<comment>--[^\n]*)|(?P<end>;)", re.DOTALL)
_CHECK_HEADER = re.compile(r"Severity: (?P<severity>fail|warn)\. Table: (?P<table>[a-z_.]+)")
_FAILURE = {"source": "all", "entity": "all"}
_LONGEST_MESSAGE = 1000  # characters, up to 4 bytes each in a VARCHAR(4096)


class StatementFailedError(RuntimeError):
    """A statement or a batch has failed or was aborted; nothing of it was committed."""


class CheckFailedError(RuntimeError):
    """The warehouse breaks a rule of include/sql/checks."""


class ReportMissingError(RuntimeError):
    """Curation has not published the run that is to be loaded."""


@cache
def _client(service: str) -> Any:
    import boto3

    return boto3.client(service)


def client_token(ti: Any, attempt: int = 0) -> str:
    """Name one logical request, so that a retry finds what its predecessor sent.

    :return: 64 hex characters, the longest token that the Redshift Data API accepts
    """
    return sha256(f"{ti.dag_id}:{ti.task_id}:{ti.run_id}:{ti.map_index}:{attempt}".encode()).hexdigest()


# ---------------------------------------------------------------- statements


def query(sql: str, **params: object) -> list[list[Any]]:
    """Rows of one statement; numbers, decimals, days, UTC times and booleans come with their Python type.

    :param params: values of ``:name`` in the statement
    :raises StatementFailedError: when the warehouse refuses it
    """
    request: dict[str, Any] = {"WorkgroupName": settings().workgroup, "Database": settings().database, "Sql": sql}
    if params:
        request["Parameters"] = [{"name": name, "value": str(value)} for name, value in params.items()]
    statement_id = _submit("execute_statement", request, f"statement {_first_line(sql)!r}")
    answer = wait(statement_id)
    return _rows(statement_id) if answer.get("HasResultSet") else []


def execute_batch(statements: Sequence[str], token: str | None = None) -> str:
    """Run statements as one transaction and wait; returns the id.

    :param token: names the request: the same token again returns the first id instead of running it twice
    :raises StatementFailedError: when one of them fails, which undoes them all
    """
    statement_id = submit_batch(statements, token)
    wait(statement_id)
    return statement_id


def submit_batch(statements: Sequence[str], token: str | None = None) -> str:
    """Send a transaction without waiting for it; returns its id.

    :raises StatementFailedError: when the Data API does not accept it
    """
    what = f"batch of {len(statements)} statements"
    size = sum(len(statement.encode()) for statement in statements)
    if not 1 <= len(statements) <= MOST_STATEMENTS or size > LONGEST_SQL:
        raise StatementFailedError(
            f"{what} with {size} bytes was not sent: a transaction takes 1 to {MOST_STATEMENTS} statements and "
            f"{LONGEST_SQL} bytes"
        )
    request: dict[str, Any] = {
        "WorkgroupName": settings().workgroup, "Database": settings().database, "Sqls": list(statements)
    }  # fmt: skip
    if token:
        request["ClientToken"] = token
    return _submit("batch_execute_statement", request, what)


def _submit(action: str, request: dict[str, Any], what: str) -> str:
    from botocore.exceptions import ClientError

    try:
        return getattr(_client("redshift-data"), action)(**request)["Id"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        raise StatementFailedError(
            f"{what} was not accepted: {_one_line(error.response['Error']['Message'])}"
        ) from None


def describe(statement_id: str) -> dict[str, Any]:
    return _client("redshift-data").describe_statement(Id=statement_id)


def wait(statement_id: str, at_most: float | None = None) -> dict[str, Any]:
    """Wait until a statement has ended, or for some seconds; returns its last description.

    :raises StatementFailedError: when it has failed or was aborted
    """
    pause, started = FIRST_WAIT, time.monotonic()
    while (answer := describe(statement_id))["Status"] not in TERMINAL:
        if at_most is not None and time.monotonic() - started > at_most:
            return answer
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_WAIT)
    if answer["Status"] in UNSUCCESSFUL:
        raise StatementFailedError(failure(answer))
    return answer


def cancel(statement_id: str) -> None:
    """Stop a statement; one that has ended already is left alone."""
    from botocore.exceptions import ClientError

    if describe(statement_id)["Status"] in TERMINAL:
        return
    try:
        _client("redshift-data").cancel_statement(Id=statement_id)
    except ClientError:  # it ended between the two calls
        if describe(statement_id)["Status"] not in TERMINAL:
            raise


def failure(answer: Mapping[str, Any]) -> str:
    """One line on a statement that has failed: what, which one, why."""
    parts = answer.get("SubStatements") or []
    broken = [(number, part) for number, part in enumerate(parts, 1) if part.get("Status") in UNSUCCESSFUL]
    number, part = broken[0] if broken else (0, answer)
    reason = _one_line(part.get("Error") or answer.get("Error") or "no reason given")
    where = f" at statement {number} of {len(parts)} ({_first_line(part.get('QueryString', ''))})" if broken else ""
    return f"SQL {answer['Id']} {answer['Status'].lower()}{where}: {reason}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _first_line(sql: str) -> str:
    return _one_line(sql)[:60]


def _rows(statement_id: str) -> list[list[Any]]:
    rows: list[list[Any]] = []
    page: dict[str, Any] = {}
    while True:
        more = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        page = _client("redshift-data").get_statement_result(Id=statement_id, **more)
        types = [column.get("typeName", "") for column in page["ColumnMetadata"]]
        rows += [[_typed(field, kind) for field, kind in zip(row, types, strict=True)] for row in page["Records"]]
        if not page.get("NextToken"):
            return rows


def _typed(field: Mapping[str, Any], kind: str) -> Any:
    """A value of a result: the Data API sends decimals, days and times as text."""
    if field.get("isNull"):
        return None
    value = next(value for name, value in field.items() if name != "isNull")
    if kind in ("numeric", "decimal"):
        return Decimal(str(value))
    if kind == "date":
        return date.fromisoformat(value)
    if kind in ("timestamp", "timestamptz"):
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


# ---------------------------------------------------------------- SQL files


def sql_role_arn(value: object) -> str:
    """The ARN of a role as a quoted SQL literal.

    :raises ValueError: when it is none
    """
    if not _ROLE_ARN.fullmatch(str(value)):
        raise ValueError(f"{value!r} may not stand in SQL: it is no ARN of a role")
    return f"'{value}'"


def render(files: Iterable[str], **values: Any) -> list[str]:
    """Statements of files of include/sql, in order, with values filled in; comments are left out.

    :param files: paths below include/sql; a pattern stands for its matches in byte order
    :param values: what the files ask for; `warehouse_role` is always there
    :raises FileNotFoundError: when a path or pattern matches nothing
    """
    environment = _templates()
    values.setdefault("warehouse_role", settings().role_arn("warehouse"))
    return [
        statement
        for pattern in files
        for name in _matches(pattern)
        for statement in split(environment.get_template(name).render(**values))
    ]


def split(sql: str) -> list[str]:
    """Single statements of a text, without comments and semicolons.

    >>> split("SELECT ';'; -- a comment;\\nSELECT 2")
    ["SELECT ';'", 'SELECT 2']
    """
    marked = _PIECE.sub(lambda piece: piece["kept"] or ("\0" if piece["end"] else ""), sql)
    return [statement.strip() for statement in marked.split("\0") if statement.strip()]


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(  # noqa: S701 - SQL is no HTML: values pass the filters below
        loader=FileSystemLoader(resource("include/sql")), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(sql_date=sql_date, sql_slug=sql_slug, sql_s3_uri=sql_s3_uri, sql_role_arn=sql_role_arn)
    return environment


def _matches(pattern: str) -> list[str]:
    root = resource("include/sql")
    names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
    if not names:
        raise FileNotFoundError(f"{pattern} matches no file below {root}")
    return names


# ---------------------------------------------------------------- loads


def loads_of(wanted: Iterable[Partition]) -> list[dict[str, Any]]:
    """Values for the files of one load, per curated run, in the order of the partitions.

    :param wanted: a partition without a run id stands for every curated run of its day
    :raises ReportMissingError: when a named run was never published
    """
    return [_load(key) for partition in wanted for key in _report_keys(partition)]


def _report_keys(partition: Partition) -> list[str]:
    prefix = f"curated/_reports/dt={partition.date}/run="
    if partition.run_id is not None:
        return [f"{prefix}{partition.run_id}.json"]
    pages = _client("s3").get_paginator("list_objects_v2").paginate(Bucket=settings().curated_bucket, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def _load(key: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError

    try:
        answer = _client("s3").get_object(Bucket=settings().curated_bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
            raise
        raise ReportMissingError(
            f"s3://{settings().curated_bucket}/{key} does not exist: curate_concerts has not published that run"
        ) from None
    report = json.loads(answer["Body"].read())
    return {
        "report_etag": answer["ETag"].strip('"'),
        "dt": report["dt"],
        "run_id": report["run_id"],
        "records": report.get("records", 0),
        "manifests": {entity: report["entities"].get(entity, {}).get("manifest_uri") for entity in ENTITIES},
        "accounts_uri": report["accounts_uri"],
        "checks_uri": report["checks_uri"],
        "quarantine_manifest_uri": report.get("quarantine_manifest_uri"),
    }


# ---------------------------------------------------------------- gates


def checks() -> list[dict[str, str]]:
    """The checks of include/sql/checks: name, file, and the severity and table that their headers state."""
    found = []
    for file in _matches("checks/*.sql"):
        if header := _CHECK_HEADER.search((resource("include/sql") / file).read_text(encoding="utf-8")):
            name = file.removeprefix("checks/").removesuffix(".sql")
            found.append({"name": name, "file": file, **header.groupdict()})
    return found


def check(loads: Sequence[Mapping[str, Any]], token: str | None = None) -> int:
    """Run every check after these loads and keep the results, under the last of them; returns the number of checks.

    :raises CheckFailedError: when rows break a check of severity fail
    """
    last = loads[-1]
    wanted = checks()
    files = ["load/clear_failure.sql", "load/record_checks.sql"]
    run_ids = [load["run_id"] for load in loads]
    execute_batch(render(files, run_id=last["run_id"], dt=last["dt"], checks=wanted, run_ids=run_ids), token)
    results = query(
        "SELECT expectation, failed FROM quality.check_result "
        "WHERE run_id = :run_id AND suite = 'warehouse' ORDER BY expectation",
        run_id=last["run_id"],
    )
    severe = {found["name"] for found in wanted if found["severity"] == "fail"}
    broken = [f"{name} ({failed} rows)" for name, failed in results if failed and name in severe]
    if broken:
        raise CheckFailedError(
            f"the warehouse breaks {', '.join(broken)} after run {last['run_id']}: "
            "the queries of include/sql/checks show the rows"
        )
    return len(results)


def record_failure(failed: Iterable[Sequence[str | None]], message: str) -> None:
    """Note in quality.load_audit that runs were not loaded; works before the schema exists, and twice as once.

    :param failed: (day, run id) of each partition
    """
    execute_batch(render(_AUDIT_FILES))
    for day, run_id in failed:
        named = {"run_id": run_id or "all", **_FAILURE}
        query(
            "DELETE FROM quality.load_audit WHERE run_id = :run_id AND source = :source AND entity = :entity", **named
        )
        query(
            "INSERT INTO quality.load_audit (run_id, dt, source, entity, read_count, loaded_count, quarantined_count, "
            "deduplicated_count, status, message, loaded_at) "
            "VALUES (:run_id, CAST(:dt AS DATE), :source, :entity, 0, 0, 0, 0, 'failed', :message, GETDATE())",
            **named, dt=day, message=_one_line(message)[:_LONGEST_MESSAGE] or "no reason given",
        )  # fmt: skip
