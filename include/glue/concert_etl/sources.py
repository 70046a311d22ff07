"""The judged records of one entity of a run, whatever files they came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import groupby

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from concert_etl.curation import CURATE, judged_columns, mark_repeats
from concert_etl.entities import Entity
from concert_etl.errors import CurationError
from concert_etl.interaction import COLUMNS as INTERACTION_COLUMNS
from concert_etl.mapping import apply_mapping, load_mapping
from concert_etl.pages import read_pages
from concert_etl.raw import CELLS, Manifest, RawBucket, RawFile, cell_names, read_cells, with_record, with_row
from concert_etl.rules import reject_files


def judged_records(
    spark: SparkSession,
    bucket: RawBucket,
    manifests: Sequence[Manifest],
    run_id: str,
    entity: Entity,
    bad_files: Mapping[tuple[str, str], str] = {},
) -> DataFrame | None:
    """Read and judge what sources delivered of an entity; None when they delivered nothing.

    :param bad_files: (source, file name) -> why each of its records is to be rejected, good ones too
    :raises CurationError: when a file lacks a column or its mapping is unknown
    """
    frames = [frame for manifest in manifests if manifest.files for frame in _read(spark, bucket, manifest)]
    if not frames:
        return None
    records = reduce(lambda left, right: left.unionByName(right), frames)
    curated = reject_files(CURATE[entity.name](records), bad_files)
    judged = mark_repeats(judged_columns(curated, entity), entity)
    return judged.withColumn("run_id", F.lit(run_id))


def _read(spark: SparkSession, bucket: RawBucket, manifest: Manifest) -> list[DataFrame]:
    if all(file.format == "json" for file in manifest.files):
        return [read_pages(spark, bucket, manifest)]
    if manifest.entity == "interaction":
        cells = read_cells(spark, bucket, manifest.files)
        required = tuple(INTERACTION_COLUMNS.values())
        return [_interactions(with_row(frame, manifest), manifest, required) for frame in cells]
    frames = []
    for name, files in groupby(sorted(manifest.files, key=_mapping_of), key=_mapping_of):
        mapping = load_mapping(name)
        for frame in read_cells(spark, bucket, list(files), mapping.delimiter):
            _require(frame, mapping.required_columns, manifest)
            frames.append(apply_mapping(with_record(frame, manifest), mapping))
    return frames


def _interactions(frame: DataFrame, manifest: Manifest, required: tuple[str, ...]) -> DataFrame:
    _require(frame, required, manifest)
    known = cell_names(frame)
    cells = [F.col(CELLS).getField(known[name]).alias(name) for name in required]
    return frame.select("_meta", "_row", "_malformed", *cells)


def _mapping_of(file: RawFile) -> str:
    if file.mapping is None:
        raise CurationError(f"file {file.key} has no mapping in its manifest: drop it below mapping=<name>/ again")
    return file.mapping


def _require(frame: DataFrame, names: list[str] | tuple[str, ...], manifest: Manifest) -> None:
    present = cell_names(frame)
    if missing := [name for name in names if name.casefold() not in present]:
        files = ", ".join(file.name for file in manifest.files)
        raise CurationError(f"a file of {manifest.source} lacks the columns {', '.join(missing)}; it is one of {files}")
