"""The only way a value reaches SQL that takes no parameters: checked, quoted, or refused.

A transaction is one BatchExecuteStatement, which accepts no parameters, and COPY takes none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_S3_URI = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9=_.:/-]{1,900}")


def sql_date(value: object) -> str:
    """A day as a quoted SQL literal.

    :raises ValueError: when the value is no calendar day in ISO form
    """
    return f"'{date.fromisoformat(str(value)).isoformat()}'"


def sql_timestamp(value: object) -> str:
    """A moment in ISO form, UTC where it names no zone, as a quoted SQL literal in UTC.

    :raises ValueError: when the value is no such moment
    """
    moment = datetime.fromisoformat(str(value))
    in_utc = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return f"'{in_utc.isoformat(' ', 'microseconds')}'"


def sql_slug(value: object) -> str:
    """A run id or a name of letters, digits, '_' and '-' as a quoted SQL literal.

    :raises ValueError: when the value holds any other character
    """
    text = str(value)
    if not _SLUG.fullmatch(text):
        raise ValueError(f"{text!r} may not stand in SQL: only letters, digits, '_' and '-' (at most 128) are allowed")
    return f"'{text}'"


def sql_slugs(values: Iterable[object]) -> str:
    """Run ids or names as quoted SQL literals with commas between them.

    :raises ValueError: when one holds another character than a slug may, or there is none
    """
    if not (slugs := [sql_slug(value) for value in values]):
        raise ValueError("an empty list may not stand in SQL: IN () is no condition")
    return ", ".join(slugs)


def sql_s3_uri(value: object) -> str:
    """An ``s3://`` address as a quoted SQL literal.

    :raises ValueError: when it is no such address, or holds a character that the platform's keys never have
    """
    text = str(value)
    if not _S3_URI.fullmatch(text):
        raise ValueError(f"{text!r} may not stand in SQL: it is no s3:// address of the platform")
    return f"'{text}'"
