"""The rows of a CSV or JSON object in S3, as text that PostgreSQL's COPY reads.

Redshift is stricter than PostgreSQL about dates and times, and looser about empty fields; both rules are here.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.engines.redshift import StatementError
from local.engines.redshift.options import CopyOptions

_STRICT_TIME = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\.\d{1,6})?)?([+-]\d{2}(:?\d{2})?)?")
_STRICT_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_CSV_FIELD = 4 * 1024 * 1024  # bytes; Redshift's limit for a row
_PATTERNS = {"YYYY": "%Y", "HH24": "%H", "HH": "%H", "MI": "%M", "MM": "%m", "DD": "%d", "SS": "%S", "US": "%f"}
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True)
class Column:
    """A column of the target.

    :param kind: PostgreSQL's name of the type, without its length
    """

    name: str
    kind: str
    precision: int = 0
    scale: int = 0

    @property
    def is_text(self) -> bool:
        return self.kind in ("varchar", "bpchar", "text")


class RowError(Exception):
    """A row that cannot be loaded.

    :param line: from 1
    """

    def __init__(self, line: int, column: str, reason: str) -> None:
        super().__init__(reason)
        self.line, self.column, self.reason = line, column, reason


def text_rows(body: bytes, columns: Sequence[Column], options: CopyOptions) -> Iterator[tuple[int, str]]:
    """(line of the source, row in PostgreSQL's COPY text format).

    :raises RowError: for a row that Redshift would not take
    :raises StatementError: when the object cannot be read at all
    """
    if "GZIP" in options.flags:
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error) as error:
            raise StatementError(f"it is no gzip file: {error}") from error
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise RowError(line, "", f"String contains invalid or unsupported UTF8 codepoints: {error.reason}") from error
    rows = _json_rows(text, columns, options) if options.format == "JSON" else _csv_rows(text, columns, options)
    for line, values in rows:
        fields = [_field(line, column, value, options) for column, value in zip(columns, values, strict=True)]
        yield line, "\t".join(fields) + "\n"


def _field(line: int, column: Column, value: str | None, options: CopyOptions) -> str:
    if value is None:
        return "\\N"
    if "\x00" in value:
        raise RowError(line, column.name, "Missing newline or NUL byte in a field")
    if column.kind in ("timestamp", "timestamptz"):
        value = _moment(line, column, value, options.time_format)
    elif column.kind == "date":
        _check_date(line, column, value, options.date_format)
    return value.translate(_ESCAPES)


def _check_date(line: int, column: Column, value: str, date_format: str) -> None:
    """:raises RowError: when the value does not have the format that the COPY names"""
    if date_format.lower() == "auto":
        return
    if date_format not in ("", "YYYY-MM-DD") or not _STRICT_DATE.fullmatch(value):
        wanted = date_format or "YYYY-MM-DD"
        raise RowError(line, column.name, f"Invalid date format - length must be 10 or more ({wanted}): {value!r}")


def _moment(line: int, column: Column, value: str, time_format: str) -> str:
    """:raises RowError: when the value does not have the format that the COPY names"""
    wanted = time_format or "YYYY-MM-DD HH24:MI:SS"
    try:
        if time_format.lower() == "auto":
            return value
        if time_format.lower() in ("epochsecs", "epochmillisecs"):
            seconds = float(value) / (1 if time_format.lower() == "epochsecs" else 1000)
            return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(sep=" ")
        if not time_format:
            if _STRICT_TIME.fullmatch(value):
                return value
            raise ValueError
        pattern = time_format.replace("%", "%%")
        for redshift, python in _PATTERNS.items():
            pattern = pattern.replace(redshift, python)
        return datetime.strptime(value, pattern).isoformat(sep=" ")  # noqa: DTZ007 - TIMESTAMP has no zone
    except ValueError as error:
        raise RowError(line, column.name, f"Invalid timestamp format or value [{wanted}]: {value!r}") from error


def _csv_rows(text: str, columns: Sequence[Column], options: CopyOptions) -> Iterator[tuple[int, list[str | None]]]:
    csv.field_size_limit(_LONGEST_CSV_FIELD)
    source = io.StringIO(text, newline="")
    if options.format == "CSV":
        reader = csv.reader(source, delimiter=options.delimiter, quotechar=options.quote, strict=True)
    else:
        reader = csv.reader(source, delimiter=options.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    start = 1
    try:
        for number, row in enumerate(reader):
            line, start = start, reader.line_num + 1
            if number < options.ignore_header or not row:
                continue
            yield line, _csv_values(line, row, columns, options)
    except csv.Error as error:
        raise RowError(start, "", f"Invalid quote formatting for CSV: {error}") from error


def _csv_values(line: int, row: list[str], columns: Sequence[Column], options: CopyOptions) -> list[str | None]:
    if len(row) > len(columns):
        raise RowError(line, "", f"Extra column(s) found: {len(row)} fields for {len(columns)} columns")
    if len(row) < len(columns):
        if "FILLRECORD" not in options.flags:
            missing = columns[len(row)].name
            raise RowError(line, missing, f"Delimiter not found: {len(row)} fields for {len(columns)} columns")
        row = [*row, *[""] * (len(columns) - len(row))]
    return [_csv_value(value, column, options) for value, column in zip(row, columns, strict=True)]


def _csv_value(value: str, column: Column, options: CopyOptions) -> str | None:
    if value == options.null:
        return None
    if value == "":
        # An empty text stays empty; any other empty field is NULL.
        return "" if column.is_text and "EMPTYASNULL" not in options.flags else None
    if column.is_text and "BLANKSASNULL" in options.flags and not value.strip():
        return None
    return value if column.is_text else value.strip()


def _json_rows(text: str, columns: Sequence[Column], options: CopyOptions) -> Iterator[tuple[int, list[str | None]]]:
    """JSON objects one after another, one a line or not; keys are the names of columns."""
    if options.json_keys not in ("auto", "auto ignorecase"):
        raise StatementError(f"JSON {options.json_keys!r} is not offered locally: use JSON 'auto'")
    decoder = json.JSONDecoder(parse_float=_Number, parse_int=_Number)
    position, line, counted = 0, 1, 0
    while match := re.compile(r"\S").search(text, position):
        line += text.count("\n", counted, match.start())
        counted = match.start()
        try:
            record, position = decoder.raw_decode(text, match.start())
        except ValueError as error:
            raise RowError(line, "", f"Invalid JSON: {getattr(error, 'msg', error)}") from error
        if not isinstance(record, dict):
            raise RowError(line, "", "Invalid JSONPath format: expected a JSON object")
        if options.json_keys == "auto ignorecase":
            record = {key.lower(): value for key, value in record.items()}
        yield line, [_json_value(record.get(column.name), column) for column in columns]


class _Number(str):
    """A number of the source, with its own digits."""


def _json_value(value: Any, column: Column) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if column.kind == "jsonb":
        return _json_text(value)
    return _json_text(value) if isinstance(value, dict | list) else str(value)


def _json_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_json_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json_text, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
