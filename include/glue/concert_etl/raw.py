"""What an ingest run delivered: its index, its manifests, and its files as frames of text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from concert_etl.errors import SPARK_ERRORS, CurationError, one_line
from concert_etl.texts import SPACES, is_visible

EVENTS_PATH = "_embedded.events"  # of the pages of manifests that name no path
MALFORMED = "_malformed"
CELLS = "_cells"  # struct of a file's own columns, so that those may have any name
LONGEST_HEADER = 2**20  # characters
# A line of nothing else is no record; inspection.py, which counts the records at ingest, has the same rule.
BLANK = "".join(map(chr, range(33))) + SPACES


@dataclass(frozen=True)
class RawFile:
    """One file of a manifest.

    :param ingested_at: UTC time of delivery, ISO
    :param nanosecond_columns: Parquet columns of moments, of which Spark reads only the number of nanoseconds
    :param records_path: names that lead to the array of records in a JSON document; empty: it is one record
    """

    name: str
    key: str
    records: int
    format: str
    mapping: str | None
    ingested_at: str
    nanosecond_columns: frozenset[str] = frozenset()
    records_path: str = EVENTS_PATH


@dataclass(frozen=True)
class Manifest:
    """What a run delivered of one entity of one source."""

    source: str
    entity: str
    files: tuple[RawFile, ...]

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)


@dataclass(frozen=True)
class RunIndex:
    """Which manifests an ingest run has; a run may grow, and the ETag tells one version from the next."""

    dt: str
    run_id: str
    etag: str
    manifests: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """One ingest run of a day."""

    dt: str
    run_id: str
    manifests: tuple[Manifest, ...]

    def of(self, entity: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest.entity == entity]


class RawBucket:
    """The documents of the raw bucket that say what there is to read.

    :param s3: client
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def indexes(self, partitions: Iterable[Sequence[str | None]]) -> list[RunIndex]:
        """Indexes of the partitions' runs, each once.

        :param partitions: [day, run id]; without a run id, every run of the day
        :raises CurationError: when there is none
        """
        keys: dict[str, None] = {}
        for day, run_id in partitions:
            prefix = f"raw/_runs/dt={day}/"
            found = [f"{prefix}{run_id}.json"] if run_id else self._keys(prefix)
            if not found:
                raise CurationError(
                    f"no ingest run of {day} below s3://{self.bucket}/{prefix}: trigger ingest_concerts"
                )
            keys.update(dict.fromkeys(found))
        return [self._index(key) for key in keys]

    def _keys(self, prefix: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def _index(self, key: str) -> RunIndex:
        index, etag = self._document(key)
        return RunIndex(index["dt"], index["run_id"], etag, tuple(index["manifests"]))

    def run(self, index: RunIndex) -> Run:
        """Read a run's manifests.

        :raises CurationError: when one is missing
        """
        return Run(index.dt, index.run_id, tuple(self._manifest(key) for key in index.manifests))

    def _manifest(self, key: str) -> Manifest:
        document, _ = self._document(key)
        files = tuple(
            RawFile(
                entry["name"], entry["key"], entry["records"], entry["format"], entry.get("mapping"),
                ingested_at=entry.get("delivered_at") or document["created_at"],
                nanosecond_columns=frozenset(entry.get("nanosecond_columns", ())),
                records_path=EVENTS_PATH if entry.get("records_path") is None else entry["records_path"],
            )
            for entry in document["files"]
        )  # fmt: skip
        return Manifest(document["source"], document["entity"], files)

    def _document(self, key: str) -> tuple[dict[str, Any], str]:
        """A JSON document and its ETag."""
        answer = self._object(key)
        return json.loads(answer["Body"].read()), answer["ETag"].strip('"')

    def _object(self, key: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            return self._s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchKey", "404"):
                raise
            raise CurationError(f"s3://{self.bucket}/{key} is missing: trigger ingest_concerts again") from None

    def header(self, file: RawFile, delimiter: str) -> tuple[str, ...]:
        """Column names of a CSV or TSV file, as Spark must know them before it reads several files at once.

        :raises CurationError: when the file has no usable header
        """
        body = self._object(file.key)["Body"]
        try:
            stream = gzip.GzipFile(fileobj=body) if file.key.endswith(".gz") else body
            lines = io.StringIO(stream.read(LONGEST_HEADER).decode("utf-8-sig", errors="replace"), newline="\n")
        except (OSError, EOFError) as error:
            raise CurationError(f"s3://{self.bucket}/{file.key} is damaged: {error}") from None
        if file.format == "tsv":
            names = next(lines, "").rstrip("\r\n").split("\t")
        else:
            names = next(csv.reader(lines, delimiter=delimiter), [])
        return _distinct(names, f"s3://{self.bucket}/{file.key}")


def _distinct(names: Iterable[str], uri: str) -> tuple[str, ...]:
    """:raises CurationError: when two columns differ by nothing but case or surrounding space"""
    found = tuple(name.strip() or f"_c{number}" for number, name in enumerate(names))
    if len({name.casefold() for name in found}) < len(found):
        raise CurationError(f"{uri} names a column twice: {', '.join(found)}")
    return found


def read_cells(
    spark: SparkSession, bucket: RawBucket, files: Sequence[RawFile], delimiter: str = ","
) -> Iterator[DataFrame]:
    """Frames of ``_cells`` (all text), ``_file_name`` and ``_malformed``; one frame for files of the same columns."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for file in files:
        uri = f"s3://{bucket.bucket}/{file.key}"
        if file.format == "parquet":
            yield _parquet(spark, uri, file)
        else:
            alike[file.format, bucket.header(file, delimiter)].append(uri)
    for (kind, names), uris in alike.items():
        # In a TSV file a quote is a character of a name; in a CSV file quoted cells may hold line ends.
        dialect = {"sep": delimiter, "quote": '"', "escape": '"', "multiLine": True}
        yield _delimited(spark, uris, names, dialect if kind == "csv" else {"sep": "\t", "quote": ""})


def _delimited(spark: SparkSession, uris: list[str], names: tuple[str, ...], dialect: dict[str, Any]) -> DataFrame:
    """Only a line feed ends a line, as at ingest: Spark's own detection goes by the first line of a file."""
    places = [f"c{number}" for number in range(len(names))]
    schema = ", ".join(f"{name} string" for name in (*places, MALFORMED))
    frame = spark.read.csv(
        escaped(uris), schema=schema, header=True, lineSep="\n", columnNameOfCorruptRecord=MALFORMED, **dialect
    )
    # A CSV line of empty cells is a record, as it is for Python's csv module; a line of tabs is none.
    is_blank = (
        _is_blank(F.translate(MALFORMED, '"', ""))
        if dialect["quote"]
        else _is_blank(F.coalesce(F.col(MALFORMED), F.concat_ws("", *places)))
    )
    last = F.col(places[-1])  # in a file whose lines end in CR LF it has the CR
    stripped = F.when(last.endswith("\r"), F.nullif(F.regexp_replace(last, "\r+$", ""), F.lit(""))).otherwise(last)
    cells = [*map(F.col, places[:-1]), stripped]
    has_record = ~F.coalesce(is_blank, F.lit(False))
    if not dialect["quote"]:  # one visible cell tells, and is found sooner; in a CSV file a lone quote is one
        has_text = reduce(lambda found, place: found | is_visible(F.col(place)), places, F.lit(False))
        has_record = F.coalesce(has_text, F.lit(False)) | has_record
    return frame.where(has_record).select(
        _cells(cells, names), file_name(), F.regexp_replace(MALFORMED, "[\r\n]+$", "").alias(MALFORMED)
    )


def _is_blank(line: Column) -> Column:
    return F.btrim(line, F.lit(BLANK)) == ""


def _parquet(spark: SparkSession, uri: str, file: RawFile) -> DataFrame:
    try:
        frame = spark.read.parquet(*escaped([uri]))
        fields = frame.schema.fields
    except SPARK_ERRORS as error:
        reason = one_line(error)
        raise CurationError(f"{uri}: {reason}") if isinstance(reason, CurationError) else reason from None
    names = _distinct([item.name for item in fields], uri)
    frame = frame.toDF(*(f"c{number}" for number in range(len(names))))
    cells = [
        _moment(column) if item.name in file.nanosecond_columns else _as_text(F.col(column), item.dataType.typeName())
        for column, item in zip(frame.columns, fields, strict=True)
    ]
    return frame.select(
        _cells(cells, names), F.lit(file.name).alias("_file_name"), F.lit(None).cast("string").alias(MALFORMED)
    )


def _moment(column: str) -> Column:
    """Nanoseconds since 1970, rounded down, as text."""
    return F.expr(f"timestamp_micros(({column} - pmod({column}, 1000)) div 1000)").cast("string")


def _as_text(cell: Column, kind: str) -> Column:
    if kind in ("array", "map", "struct", "variant"):
        return F.to_json(cell)
    text = cell.cast("string")
    if kind not in ("float", "double"):
        return text
    # 9281.0 is what a whole number becomes in a column with gaps.
    is_whole = (cell == F.floor(cell)) & (F.abs(cell) < 1e15)
    return F.when(is_whole, F.when(is_whole, cell).cast("bigint").cast("string")).otherwise(text)


def _cells(cells: Sequence[Column], names: Sequence[str]) -> Column:
    return F.struct(*(cell.alias(name) for cell, name in zip(cells, names, strict=True))).alias(CELLS)


def cell_names(frame: DataFrame) -> dict[str, str]:
    """Columns of the file by their case-folded names: a header may be written in any case."""
    return {name.casefold(): name for name in frame.schema[CELLS].dataType.names}


def file_name() -> Column:
    """``_file_name``: the file that a row was read from."""
    # Spark gives it percent-encoded, with '+' as it is.
    name = F.col("_metadata.file_name")
    decoded = F.url_decode(F.replace(name, F.lit("+"), F.lit("%2B")))
    return F.when(F.contains(name, F.lit("%")), decoded).otherwise(name).alias("_file_name")


def escaped(uris: Iterable[str]) -> list[str]:
    """Paths whose characters are all literal, not patterns."""
    return [re.sub(r"([\\{}\[\]*?])", r"\\\1", uri) for uri in uris]


def with_row(cells: DataFrame, manifest: Manifest) -> DataFrame:
    """Add ``_meta`` and ``_row`` to raw cells: what :func:`record_text` makes the record of, where one is wanted.

    JSON text of each of millions of rows takes longer than to judge them.
    """
    names = cell_names(cells).values()
    row = F.struct(
        F.col(MALFORMED).alias("line"),
        F.array(*map(F.lit, names)).alias("names"),
        F.array(*(F.col(CELLS).getField(name) for name in names)).alias("cells"),
    )
    reason = F.lit(f"the line does not have {len(names)} cells, one for each column of the header")
    return cells.select(
        meta(manifest), row.alias("_row"), F.when(F.col(MALFORMED).isNotNull(), reason).alias(MALFORMED), CELLS
    )


def record_text(row: Column) -> Column:
    """The record as JSON text; of a malformed line, the line itself."""
    line, names, cells = (row.getField(name) for name in ("line", "names", "cells"))
    return F.when(line.isNotNull(), F.to_json(F.struct(line.alias("line")))).otherwise(
        F.to_json(F.map_from_arrays(names, cells))
    )


def with_record(cells: DataFrame, manifest: Manifest) -> DataFrame:
    """Add ``_meta`` and ``_record`` to raw cells."""
    return with_row(cells, manifest).select("_meta", record_text(F.col("_row")).alias("_record"), MALFORMED, CELLS)


def meta(manifest: Manifest) -> Column:
    """``_meta`` of records that have their file in ``_file_name``."""
    moments = {file.name: F.lit(file.ingested_at).cast("timestamp") for file in manifest.files}
    delivered = F.create_map(*(part for name, moment in moments.items() for part in (F.lit(name), moment)))
    return F.struct(
        F.lit(manifest.source).alias("source"),
        delivered[F.col("_file_name")].alias("ingested_at"),
        F.col("_file_name").alias("file_name"),
        F.monotonically_increasing_id().alias("position"),
    ).alias("_meta")
