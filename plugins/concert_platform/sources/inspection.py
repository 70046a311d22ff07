"""Look into a dropped file before it is imported: how many records it has, or why it cannot be used.

The Glue job counts the same records again with Spark and refuses a source whose counts differ, so both follow one rule:
only a line feed ends a line (with or without CR before it), in a CSV file unless it is quoted; a line of nothing but
blanks is no record; column names are compared without regard to case. tests/spark/test_agreement.py compares the two.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

# The longest cell; what is too large for the warehouse is quarantined later, so this only bounds memory.
LONGEST_CELL = 2**28
MOST_CELLS = 20_000  # of a line; Spark reads no more than 20,480
# As in concert_etl/raw.py.
BLANK = "".join(map(chr, range(33))) + "\u00a0\u2007\u202f\u3000\ufeff\u200b"
# Logical types of Parquet that Spark has a type for. It refuses a file with any other, such as TIME and FLOAT16.
PARQUET_TYPES = ("NONE", "STRING", "ENUM", "JSON", "BSON", "INT", "DECIMAL", "DATE", "TIMESTAMP", "NULL")
MOST_DIGITS = 38


class UnusableFileError(ValueError):
    """A dropped file cannot be imported; the message is the reason, without the file's name."""


class Layout(NamedTuple):
    """What a file must look like.

    :param required_columns: columns that must be there, in any order
    :param delimiter: of CSV files; TSV files have tabs and no quoting
    """

    required_columns: Sequence[str]
    delimiter: str = ","


class Inspection(NamedTuple):
    """What curation must know of a file.

    :param nanosecond_columns: Parquet columns of moments in nanoseconds
    """

    records: int
    nanosecond_columns: list[str]


def file_format(name: str) -> str:
    """csv, tsv or parquet, by the ending of the name.

    :raises UnusableFileError: for another ending
    """
    for ending in ("csv", "tsv", "parquet"):
        if name.endswith(f".{ending}"):
            return ending
        if name.endswith(f".{ending}.gz") and ending != "parquet":
            return ending
    raise UnusableFileError("its name ends neither in .csv, .csv.gz, .tsv, .tsv.gz nor .parquet")


def inspect(path: Path, layout: Layout) -> Inspection:
    """Read a whole file and count its records; a header is none.

    :raises UnusableFileError: when the file is empty, damaged, half-written, lacks a required column, or when Spark
        could not read it
    """
    kind = file_format(path.name)
    if path.stat().st_size == 0:
        raise UnusableFileError("it is empty")
    try:
        if kind == "parquet":
            return _inspect_parquet(path, layout)
        with _open_text(path) as stream:
            count = _count_csv(stream, layout) if kind == "csv" else _count_tsv(stream, layout)
            return Inspection(count, [])
    except EOFError:
        raise UnusableFileError("it is half-written: its gzip stream breaks off") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UnusableFileError(f"it is damaged: {error}") from None
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"it is not UTF-8: {error.reason} ({error.object[error.start]:#04x})") from None


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="\n")
    return path.open(encoding="utf-8-sig", newline="\n")


def _count_csv(stream: IO[str], layout: Layout) -> int:
    csv.field_size_limit(LONGEST_CELL)
    lines = _Lines(stream)
    # Strict: an open quote at the end of a half-written file is an error.
    rows = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    count, last = 0, None
    try:
        header = next(rows, None)
        _check_columns(header, layout)
        for row in rows:
            if len(row) > 1 or "".join(row).strip(BLANK + '"'):
                _check_width(len(row), rows.line_num)
                count, last = count + 1, row
    except csv.Error as error:
        reason = "a carriage return in a cell without quotes" if "new-line" in str(error) else f"{error}: half-written?"
        raise UnusableFileError(f"line {rows.line_num} is no valid CSV ({reason})") from None
    if last is not None and header is not None and len(last) < len(header) and not lines.ends_with_newline:
        raise UnusableFileError(f"it is half-written: its last row has {len(last)} of {len(header)} columns")
    return count


def _count_tsv(stream: IO[str], layout: Layout) -> int:
    lines = iter(_Lines(stream))
    header = next(lines, "").strip("\r\n")
    _check_columns(header.split("\t") if header else None, layout)
    count = 0
    for number, line in enumerate(lines, start=2):
        if line.strip(BLANK):
            _check_width(line.count("\t") + 1, number)
            count += 1
    return count


def _inspect_parquet(path: Path, layout: Layout) -> Inspection:
    import pyarrow
    import pyarrow.parquet as pq

    try:
        # The footer alone tells names, types and rows: nothing of the data is loaded.
        metadata = pq.read_metadata(path)
        fields = metadata.schema.to_arrow_schema()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UnusableFileError(f"it is no complete Parquet file: {reason}") from None
    _check_columns(fields.names, layout)
    leaves = [metadata.schema.column(number) for number in range(len(metadata.schema))]
    for leaf in leaves:
        kind = str(leaf.logical_type).partition("(")[0].upper()  # its .type calls NULL and FLOAT16 alike UNKNOWN
        if kind not in PARQUET_TYPES or (kind == "DECIMAL" and leaf.precision > MOST_DIGITS):
            raise UnusableFileError(
                f"its column {leaf.path} has the Parquet type {leaf.logical_type}, which Spark cannot read: "
                "write it as text"
            )
    # Arrow calls the older INT96 nanoseconds too; Spark knows that these are moments.
    known = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    moments = [field.name for field in fields if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns"]
    return Inspection(metadata.num_rows, [name for name in moments if name not in known])


def _check_columns(header: Sequence[str] | None, layout: Layout) -> None:
    if not header:
        raise UnusableFileError("it has no header row")
    _check_width(len(header), 1)
    present: dict[str, str] = {}
    for number, cell in enumerate(header):
        name = cell.strip() or f"_c{number}"
        if earlier := present.get(name.casefold()):
            raise UnusableFileError(f"it has two columns of one name: {earlier} and {name}")
        present[name.casefold()] = name
    if missing := [name for name in layout.required_columns if name.casefold() not in present]:
        raise UnusableFileError(f"it lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}")


def _check_width(cells: int, line: int) -> None:
    if cells > MOST_CELLS:
        raise UnusableFileError(f"line {line} has {cells:,} cells, more than {MOST_CELLS:,}: is its delimiter right?")


class _Lines:
    """The lines of a stream, remembering how the last one ended.

    :raises UnusableFileError: at a NUL, which ends a line for Spark and stands in no text
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.ends_with_newline = True

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._stream, start=1):
            if "\0" in line:
                raise UnusableFileError(f"line {number} holds a NUL character: it is no text, or not UTF-8")
            self.ends_with_newline = line.endswith("\n")
            yield line
