"""Days and numbers from text: what is certain is read, what could be several numbers is refused, the rest is told.

A note is a line for stderr: of what a file holds that counts as empty, so that no column is lost in silence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ml.box_office.errors import UnreadableReportsError
from ml.box_office.sql_values import NUMBER

CODE_LETTERS = 3  # of a currency
LONGEST_SHOWN = 80  # characters of a cell in a message
FIRST_DAY, LAST_DAY = "1900-01-01", "2100-12-31"  # as in curation: a day beyond them is a slip of the pen
_DAY = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})|(?P<month2>\d{2})(?P<day2>\d{2}))"
    r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
# What stands beside the digits where a number was meant, but which one is a guess.
_SEPARATORS = re.compile(r"[\d\s.,'\u2019_+()-]")

Note = Callable[[str], None]


class Unread(str):
    """Text of which an expression of a mapping made nothing; no rule counts it as a value."""


class Read(NamedTuple):
    """A column in its type.

    :param values: null where the text is none or cannot be read
    :param unread: the texts that cannot be read, as far as they are given
    """

    values: pd.Series
    unread: pd.Series


def days(texts: pd.Series, path: Path, tell: Note) -> Read:
    """Days as they are written, the year first: a time, and the zone of a time, are left out."""
    found = pd.to_datetime(_spelt(texts, _day), errors="coerce", format="%Y-%m-%d")
    values = found.astype("datetime64[ns]")
    unread = texts[texts.notna() & values.isna()]
    if len(unread):
        what = f"no date from {FIRST_DAY} to {LAST_DAY} (YYYY-MM-DD)"
        tell(f"{path}: {_some(unread, what)}: counted as empty")
    return Read(values, unread)


def _day(text: str) -> str | None:
    match = _DAY.fullmatch(text)
    if match is None:
        return None
    day = f"{match['year']}-{match['month'] or match['month2']:0>2}-{match['day'] or match['day2']:0>2}"
    return day if FIRST_DAY <= day <= LAST_DAY else None


def numbers(texts: pd.Series, path: Path, tell: Note | None, *, money: bool = False) -> Read:
    """Numbers with a decimal point, thousands separated by commas or not, in money after a currency sign or not.

    :param tell: without it, what cannot be read is empty and no more is said
    :raises UnreadableReportsError: when a cell may be several numbers, such as 1.234,5, or comes with other signs
    """
    values = pd.to_numeric(_spelt(texts, lambda text: _plain(text, money)), errors="coerce").astype(float)
    values = values.where(np.isfinite(values))
    unread = texts[texts.notna() & values.isna()]
    if tell is None:
        return Read(values, unread)
    doubtful = unread[[_is_doubtful(str(text)) for text in unread]]
    if len(doubtful):
        made = any(isinstance(text, Unread) for text in doubtful)
        way = "clean them in the mapping's expression" if made else "write 1234567.89, 1,234,567.89 or $1,234,567.89"
        raise UnreadableReportsError(f"{path}: {_some(doubtful, 'no number that can be read in one way only')}: {way}")
    if len(unread):
        tell(f"{path}: {_some(unread, 'no number')}: counted as empty")
    return Read(values, unread)


def tell_fractions(read: Read, texts: pd.Series, path: Path, tell: Note) -> None:
    """A note of fractions where whole numbers belong: 16.333 is 16,333 in other countries."""
    fractions = texts[read.values.notna() & (read.values % 1 != 0)]
    if len(fractions):
        tell(f"{path}: {_some(fractions, 'no whole number')}: read with a decimal point")


def _spelt(texts: pd.Series, spell: Callable[[str], str | None]) -> pd.Series:
    found = [None if text is None or isinstance(text, Unread) else spell(text) for text in texts]
    return pd.Series(found, index=texts.index, name=texts.name, dtype=object)


def _plain(text: str, money: bool) -> str | None:
    """A number without separators and currency; None when it is none, or not for certain."""
    if money:
        sign, rest = ("-", text[1:]) if text.startswith("-") else ("", text)
        if rest and unicodedata.category(rest[0]) == "Sc":
            text = sign + rest[1:].lstrip()
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text if NUMBER.fullmatch(text) else None


def _is_doubtful(text: str) -> bool:
    """Digits with separators, signs, and at most the letters of a currency."""
    if NUMBER.fullmatch(text) or not any(sign.isdigit() for sign in text):
        return False
    letters = "".join(sign for sign in _SEPARATORS.sub("", text) if unicodedata.category(sign) != "Sc")
    return not letters or (letters.isalpha() and letters.isupper() and len(letters) <= CODE_LETTERS)


def _some(texts: pd.Series, what: str) -> str:
    """How many cells of which column are what, with an example."""
    cells, are = (f"{len(texts)} cells", "are") if len(texts) > 1 else ("a cell", "is")
    return f"{cells} of {texts.name} {are} {what}, such as {str(texts.iloc[0])[:LONGEST_SHOWN]!r}"
