"""Dates in a pattern of Spark: as strict as its parser is."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from ml.box_office.sql_values import UnsupportedExpressionError

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
FIELDS = {
    "yyyy": r"(?P<year>\d{4})", "yy": r"(?P<short>\d{2})", "y": r"(?P<year>\d{1,4})",
    "MMMM": f"(?P<name>{'|'.join(MONTHS)})", "MMM": f"(?P<name>{'|'.join(name[:3] for name in MONTHS)})",
    "MM": r"(?P<month>\d{2})", "M": r"(?P<month>\d{1,2})", "dd": r"(?P<day>\d{2})", "d": r"(?P<day>\d{1,2})",
    "HH": r"(?:[01]\d|2[0-3])", "H": r"(?:1?\d|2[0-3])", "mm": r"[0-5]\d", "m": r"[1-5]?\d", "ss": r"[0-5]\d",
    "s": r"[1-5]?\d",
}  # fmt: skip
_PART = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letters>([A-Za-z])\3*)|(?P<sign>.)", re.DOTALL)


@lru_cache(maxsize=64)
def _expression(pattern: str) -> re.Pattern[str]:
    parts = []
    for part in _PART.finditer(pattern):
        if part["letters"] is None:
            quoted = part["quoted"]
            parts.append(re.escape(part["sign"] if quoted is None else quoted.replace("''", "'") or "'"))
        elif part["letters"] in FIELDS:
            parts.append(FIELDS[part["letters"]])
        else:
            raise UnsupportedExpressionError(f"{part['letters']} of the date pattern {pattern!r} is not evaluated here")
    if set(pattern) & set("[]{}#"):
        raise UnsupportedExpressionError(f"the date pattern {pattern!r} has signs that are not evaluated here")
    try:
        return re.compile("".join(parts), re.ASCII | re.IGNORECASE)
    except re.error as error:
        raise UnsupportedExpressionError(f"the date pattern {pattern!r} names a part twice") from error


def date_in(text: str, pattern: str) -> dt.date | None:
    """The day that a text is in a pattern; None when it is none.

    :raises UnsupportedExpressionError: for a pattern with letters that are not known here
    """
    match = _expression(pattern).fullmatch(text)
    if match is None:
        return None
    found = match.groupdict()
    month = found.get("month")
    if name := found.get("name"):
        month = str(1 + next(place for place, full in enumerate(MONTHS) if full.startswith(name.lower()[:3])))
    year = found.get("year") or (f"20{found['short']}" if found.get("short") else "1970")
    try:
        return dt.date(int(year), int(month or 1), int(found.get("day") or 1))
    except ValueError:
        return None
