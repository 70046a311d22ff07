"""Look into a dropped file before it is imported: how many records it has, or why it cannot be used."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

# The longest cell; what is too large for the warehouse is quarantined later, so this only bounds memory.
LONGEST_CELL = 2**28


class UnusableFileError(ValueError):
    """A dropped file cannot be imported; the message is the reason, without the file's name."""


class Layout(NamedTuple):
    """What a file must look like.

    :param required_columns: columns that must be there, in any order
    :param delimiter: of CSV files; TSV files have tabs and no quoting
    """

    required_columns: Sequence[str]
    delimiter: str = ","


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


def count_records(path: Path, layout: Layout) -> int:
    """Read a whole file and count its records; a header is none.

    :raises UnusableFileError: when the file is empty, damaged, half-written or lacks a required column
    """
    kind = file_format(path.name)
    if path.stat().st_size == 0:
        raise UnusableFileError("it is empty")
    try:
        if kind == "parquet":
            return _count_parquet(path, layout)
        # csv wants line ends as they are; in a TSV file only a line feed ends a line, cells may hold other separators.
        with _open_text(path, newline="" if kind == "csv" else "\n") as stream:
            return _count_csv(stream, layout) if kind == "csv" else _count_tsv(stream, layout)
    except EOFError:
        raise UnusableFileError("it is half-written: its gzip stream breaks off") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise UnusableFileError(f"it is damaged: {error}") from None
    except UnicodeDecodeError as error:
        raise UnusableFileError(f"it is not UTF-8: {error.reason} ({error.object[error.start]:#04x})") from None


def _open_text(path: Path, *, newline: str) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline=newline)
    return path.open(encoding="utf-8-sig", newline=newline)


def _count_csv(stream: IO[str], layout: Layout) -> int:
    csv.field_size_limit(LONGEST_CELL)
    lines = _Tail(stream)
    # Strict: an open quote at the end of a half-written file is an error.
    rows = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    count, last = 0, None
    try:
        header = next(rows, None)
        _check_columns(header, layout)
        for row in rows:
            if row:
                count, last = count + 1, row
    except csv.Error as error:
        raise UnusableFileError(f"line {rows.line_num} is no valid CSV ({error}): half-written?") from None
    if last is not None and header is not None and len(last) < len(header) and not lines.ends_with_newline:
        raise UnusableFileError(f"it is half-written: its last row has {len(last)} of {len(header)} columns")
    return count


def _count_tsv(stream: IO[str], layout: Layout) -> int:
    header = next(stream, "").strip("\r\n")
    _check_columns(header.split("\t") if header else None, layout)
    return sum(1 for line in stream if line.strip())


def _count_parquet(path: Path, layout: Layout) -> int:
    import pyarrow
    import pyarrow.parquet as pq

    try:
        # The footer alone tells names and rows: nothing of the data is loaded.
        metadata = pq.read_metadata(path)
        names = metadata.schema.to_arrow_schema().names
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UnusableFileError(f"it is no complete Parquet file: {reason}") from None
    _check_columns(names, layout)
    return metadata.num_rows


def _check_columns(header: Sequence[str] | None, layout: Layout) -> None:
    if not header:
        raise UnusableFileError("it has no header row")
    present = {name.strip() for name in header}
    if missing := [name for name in layout.required_columns if name not in present]:
        raise UnusableFileError(f"it lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}")


class _Tail:
    """The lines of a stream, remembering how the last one ended."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.ends_with_newline = True

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self.ends_with_newline = line.endswith(("\n", "\r"))
            yield line
