"""Rows of CSV and Parquet files as text, their columns in any case; a damaged file is refused with the line."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ml.box_office.errors import UnreadableReportsError
from ml.box_office.sql_values import text_of

Rows = list[dict[str, Any]]

# As curation trims cells: also the no-break, ideographic and zero-width spaces, which spreadsheets leave in them.
SPACES = " \t\r\n\f\v\u00a0\u2007\u202f\u3000\ufeff\u200b"
# As at ingest: a line of nothing else is no record, such as the Ctrl-Z that ends files of old programs.
BLANK = "".join(map(chr, range(33))) + SPACES + '"'
LONGEST_CELL = 2**28  # characters
LARGEST_WHOLE = 1e15  # a whole number in a column of doubles is written without a point up to here


class Table(NamedTuple):
    """A file's cells as text.

    :param columns: names as the file writes them
    :param rows: by case-folded name
    """

    columns: list[str]
    rows: Rows


def read(path: Path, delimiter: str) -> Table:
    """Rows of a Parquet or CSV file, the latter also gzip-compressed.

    :raises UnreadableReportsError: when the file is missing, damaged, or has two columns of one name
    """
    try:
        names, rows = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path, delimiter)
    except UnreadableReportsError:
        raise
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else "it breaks off"
        raise UnreadableReportsError(f"{path} cannot be read ({reason}): give a UTF-8 CSV or a Parquet file") from error
    columns = [name.strip(SPACES) or f"_c{number}" for number, name in enumerate(names)]
    folded = [name.casefold() for name in columns]
    twice = sorted({name for name in columns if folded.count(name.casefold()) > 1})
    if twice:
        raise UnreadableReportsError(f"{path} has several columns {', '.join(twice)}: rename or remove all but one")
    return Table(columns, [dict(zip(folded, row, strict=True)) for row in rows])


def clean(cell: Any, nulls: set[str]) -> str | None:
    """Text of a cell without surrounding space and NUL; None when nothing is left, or what stands for nothing."""
    text = text_of(cell)
    trimmed = None if text is None else text.replace("\0", "").strip(SPACES)
    return None if not trimmed or trimmed in nulls else trimmed


def _parquet(path: Path) -> tuple[list[str], list[Sequence[Any]]]:
    table = pq.read_table(path)
    columns = [[_text_of_value(value) for value in column.to_pylist()] for column in table.columns]
    return table.column_names, list(zip(*columns, strict=True))


def _text_of_value(value: Any) -> str | None:
    if isinstance(value, float):
        if math.isnan(value):
            return None
        # 9281.0 is what a whole number becomes in a column with gaps.
        return text_of(int(value) if value.is_integer() and abs(value) < LARGEST_WHOLE else value)
    return text_of(value)


def _csv(path: Path, delimiter: str) -> tuple[list[str], list[Sequence[Any]]]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnreadableReportsError(f"{path} line {line} holds a NUL character: give a UTF-8 CSV or a Parquet file")
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    rows: list[Sequence[Any]] = []
    line = 1  # that the row begins on: where a quote was opened, if it is not closed
    try:
        header = next(reader, [])
        line = reader.line_num + 1
        for row in reader:
            if len(row) > 1 or "".join(row).strip(BLANK):
                _check_width(path, line, len(row), len(header))
                rows.append(row)
            line = reader.line_num + 1
    except csv.Error as error:
        open_quote = "unexpected end of data" in str(error)
        reason = "a quote that is opened there is never closed" if open_quote else str(error)
        raise UnreadableReportsError(f"{path} line {line} is no valid CSV ({reason}): correct the row") from error
    return header, rows


def _check_width(path: Path, line: int, cells: int, columns: int) -> None:
    if not columns:
        raise UnreadableReportsError(f"{path} begins with a blank line: begin with the names of the columns")
    if cells != columns:
        raise UnreadableReportsError(
            f"{path} line {line} has {cells} cells, the header {columns}: quote cells that hold the delimiter"
        )
