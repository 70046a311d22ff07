"""SQL through the Redshift Data API: one statement with parameters, or a transaction of several. No Airflow import."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import Any

from concert_platform import clients
from concert_platform.settings import settings

FINISHED = "FINISHED"
UNSUCCESSFUL = ("FAILED", "ABORTED")
TERMINAL = (FINISHED, *UNSUCCESSFUL)
MOST_STATEMENTS = 40  # of one BatchExecuteStatement
LONGEST_SQL = 100_000  # bytes of one BatchExecuteStatement
FIRST_WAIT, LONGEST_WAIT = 0.05, 1.0  # seconds between two looks


class StatementFailedError(RuntimeError):
    """A statement or a batch has failed or was aborted; nothing of it was committed."""


@cache  # a process runs triggers or tasks, which want clients of another patience
def client(service: str) -> Any:
    return clients.client(service)


def client_token(ti: Any, attempt: int = 0, part: str = "") -> str:
    """Name one logical request, so that a retry finds what its predecessor sent.

    :param part: which of several transactions of the task
    :return: 64 hex characters, the longest token that the Redshift Data API accepts
    """
    named = f"{ti.dag_id}:{ti.task_id}:{ti.run_id}:{ti.map_index}:{attempt}" + (f":{part}" if part else "")
    return sha256(named.encode()).hexdigest()


def query(sql: str, **params: object) -> list[list[Any]]:
    """Rows of one statement; numbers, decimals, days, UTC times and booleans come with their Python type.

    :param params: values of ``:name`` in the statement
    :raises StatementFailedError: when the warehouse refuses it
    """
    return rows(wait(submit_query(sql, **params)))


def submit_query(sql: str, **params: object) -> str:
    """Send one statement without waiting for it; returns its id. Parameters and errors as of `query`."""
    request: dict[str, Any] = {"WorkgroupName": settings().workgroup, "Database": settings().database, "Sql": sql}
    if params:
        request["Parameters"] = [{"name": name, "value": str(value)} for name, value in params.items()]
    return _submit("execute_statement", request, f"statement {_first_line(sql)!r}")


def rows(answer: Mapping[str, Any]) -> list[list[Any]]:
    """Rows of a statement that has finished, from its description; types as of `query`."""
    return _rows(answer["Id"]) if answer.get("HasResultSet") else []


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
        return getattr(client("redshift-data"), action)(**request)["Id"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        raise StatementFailedError(f"{what} was not accepted: {one_line(error.response['Error']['Message'])}") from None


def describe(statement_id: str) -> dict[str, Any]:
    return client("redshift-data").describe_statement(Id=statement_id)


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
        client("redshift-data").cancel_statement(Id=statement_id)
    except ClientError:  # it ended between the two calls
        if describe(statement_id)["Status"] not in TERMINAL:
            raise


def failure(answer: Mapping[str, Any]) -> str:
    """One line on a statement that has failed: what, which one, why."""
    parts = answer.get("SubStatements") or []
    broken = [(number, part) for number, part in enumerate(parts, 1) if part.get("Status") in UNSUCCESSFUL]
    number, part = broken[0] if broken else (0, answer)
    reason = one_line(part.get("Error") or answer.get("Error") or "no reason given")
    where = f" at statement {number} of {len(parts)} ({_first_line(part.get('QueryString', ''))})" if broken else ""
    return f"SQL {answer['Id']} {answer['Status'].lower()}{where}: {reason}"


def one_line(text: str) -> str:
    return " ".join(text.split())


def _first_line(sql: str) -> str:
    return one_line(sql)[:60]


def _rows(statement_id: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    page: dict[str, Any] = {}
    while True:
        more = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
        page = client("redshift-data").get_statement_result(Id=statement_id, **more)
        types = [column.get("typeName", "") for column in page["ColumnMetadata"]]
        found += [[_typed(field, kind) for field, kind in zip(row, types, strict=True)] for row in page["Records"]]
        if not page.get("NextToken"):
            return found


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
