"""PostgreSQL's errors in Redshift's words, in one line."""

from __future__ import annotations

import re

import psycopg2

from local.engines.redshift.tables import BYTES_CHECK

_BYTES_CHECK = re.compile(rf"{BYTES_CHECK}(\d+)_(.+)")
_COPY_CONTEXT = re.compile(r"COPY \S+, line (\d+)(?:, column ([^:]+))?")
_LONGEST_DETAIL = 400  # characters; a failing row may be a megabyte


def too_long(error: psycopg2.Error) -> tuple[str, int] | None:
    """(column, bytes that fit) when the error is the check of a VARCHAR's length in bytes."""
    match = _BYTES_CHECK.fullmatch(error.diag.constraint_name or "")
    return (match[2], int(match[1])) if match else None


def message(error: psycopg2.Error) -> str:
    """What Redshift's error line would say."""
    if broken := too_long(error):
        column, most = broken
        return (
            f"ERROR: value too long for type character varying({most}): column {column!r} of table "
            f"{error.diag.table_name!r} holds at most {most} bytes (VARCHAR counts bytes, not characters)"
        )
    primary = error.diag.message_primary or str(error).strip() or type(error).__name__
    severity = error.diag.severity_nonlocalized or "ERROR"
    detail = f" DETAIL: {error.diag.message_detail}" if error.diag.message_detail else ""
    return one_line(f"{severity}: {primary}{detail}")


def one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1] + "…"


def load_error(error: psycopg2.Error) -> tuple[int, str, str]:
    """(row of the COPY stream from 1, column, reason) of a row that PostgreSQL did not take."""
    match = _COPY_CONTEXT.search(error.diag.context or "")
    row, column = (int(match[1]), match[2] or "") if match else (0, "")
    if broken := too_long(error):
        return row, broken[0], f"String length exceeds DDL length ({broken[1]} bytes)"
    column = error.diag.column_name or column
    return row, column, one_line(error.diag.message_primary or str(error))
