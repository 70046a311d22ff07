"""Text as files and APIs deliver it, and the ways to numbers and dates: what cannot be read becomes null."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

# Also the no-break, ideographic and zero-width ones, which spreadsheets leave in cells.
SPACES = " \t\r\n\f\v\u00a0\u2007\u202f\u3000\ufeff\u200b"
LONGEST_SHOWN = 80  # characters of a value in a reason

DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]00:00:00([.]0+)?)?$"


def quoted(name: str) -> str:
    """A column name as Spark SQL takes it, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def clean(text: Column, null_values: Sequence[str] = ()) -> Column:
    """Text without surrounding space and without NUL, which no database stores; null when nothing is left of it."""
    trimmed = F.btrim(F.translate(text, "\x00", ""), F.lit(SPACES))
    return F.when(~trimmed.isin("", *null_values), trimmed)


def shown(name: str) -> str:
    """SQL: a value of ``_text`` for a reason, shortened."""
    return f"coalesce(concat('\"', left(_text.{name}, {LONGEST_SHOWN}), '\"'), 'nothing')"


def whole(name: str, kind: str) -> str:
    """SQL: a value of ``_text`` as a whole number; null for a fraction, for text and for what is out of range."""
    number = f"try_cast(_text.{name} AS DECIMAL(38, 10))"
    return f"CASE WHEN {number} = floor({number}) THEN try_cast({number} AS {kind}) END"


def date(name: str) -> str:
    """SQL: a value of ``_text`` as a day. Only ISO dates: Spark's own cast also takes '2020' for one."""
    return f"CASE WHEN _text.{name} RLIKE '{DATE_PATTERN}' THEN try_cast(left(_text.{name}, 10) AS DATE) END"


def decimal(name: str, digits: int) -> str:
    """SQL: a value of ``_text`` as an amount with two decimals."""
    return f"try_cast(_text.{name} AS DECIMAL({digits}, 2))"


def timestamp(name: str) -> str:
    """SQL: a value of ``_text`` as a moment; UTC unless it says otherwise."""
    return f"try_cast(_text.{name} AS TIMESTAMP)"
