"""Text as files and APIs deliver it, and the ways to numbers and dates: what cannot be read becomes null."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

# Also the no-break, ideographic and zero-width ones, which spreadsheets leave in cells.
SPACES = " \t\r\n\f\v\u00a0\u2007\u202f\u3000\ufeff\u200b"
LONGEST_SHOWN = 80  # characters of a value in a reason

# A day and a time: Spark's own cast takes '12:30' for half past twelve today, and '2031' for the midnight of New Year.
MOMENT_PATTERN = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}"
DATE_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]00:00:00([.]0+)?)?$"
FIRST_DAY, LAST_DAY = "1900-01-01", "2100-12-31"  # a day beyond them is a slip of the pen


def quoted(name: str) -> str:
    """A column name as Spark SQL takes it, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def clean(text: Column, null_values: Sequence[str] = ()) -> Column:
    """Text without surrounding space and without NUL, which no database stores; null when nothing is left of it."""
    trimmed = F.btrim(F.translate(text, "\x00", ""), F.lit(SPACES))
    cleaned = F.when(~trimmed.isin("", *null_values), trimmed)
    # Most cells need none of this, which takes longer than all else that is done with one.
    is_clean = is_visible(text) & is_visible(F.substring(text, -1, 1)) & ~F.contains(text, F.lit("\x00"))
    return F.when(is_clean & ~text.isin(*null_values) if null_values else is_clean, text).otherwise(cleaned)


def cleaned(text: str) -> str:
    """SQL: as ``clean``, in fewer words: for the hundred texts of a record, of which there are not millions."""
    spaces = "".join(f"\\u{ord(space):04x}" for space in SPACES)
    return f"nullif(btrim(translate({text}, '\\0', ''), '{spaces}'), '')"


def is_visible(text: Column) -> Column:
    """Whether a text begins with an ASCII character that is seen."""
    return F.ascii(text).between(0x21, 0x7E)


def shown(name: str) -> str:
    """SQL: a value of ``_text`` for a reason, shortened."""
    return f"coalesce(concat('\"', left(_text.{name}, {LONGEST_SHOWN}), '\"'), 'nothing')"


def whole(name: str, kind: str) -> str:
    """SQL: a value of ``_text`` as a whole number; null for a fraction, for text and for what is out of range."""
    number = f"try_cast(_text.{name} AS DECIMAL(38, 10))"
    return f"CASE WHEN {number} = floor({number}) THEN try_cast({number} AS {kind}) END"


def date(name: str) -> str:
    """SQL: a value of ``_text`` as a day. Only ISO dates: Spark's own cast also takes '2020' for one."""
    day = f"left(_text.{name}, 10)"
    is_date = f"_text.{name} RLIKE '{DATE_PATTERN}' AND {day} BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}'"
    return f"CASE WHEN {is_date} THEN try_cast({day} AS DATE) END"


def decimal(name: str, digits: int) -> str:
    """SQL: a value of ``_text`` as an amount with two decimals."""
    return f"try_cast(_text.{name} AS DECIMAL({digits}, 2))"


def is_negative(name: str) -> str:
    """SQL: whether a value of ``_text`` is below 0; as a double, lest a fraction of a cent be rounded to nothing."""
    return f"coalesce(try_cast(_text.{name} AS DOUBLE) < 0, false)"


def moment(text: str) -> str:
    """SQL: a text as a moment; UTC unless it says otherwise.

    :param text: SQL of it
    """
    found = f"try_cast({text} AS TIMESTAMP)"
    is_within = f"to_date({found}) BETWEEN DATE'{FIRST_DAY}' AND DATE'{LAST_DAY}'"
    return f"CASE WHEN {text} RLIKE '{MOMENT_PATTERN}' AND {is_within} THEN {found} END"
