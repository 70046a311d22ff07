"""Import the files of the drop zone: box-office reports by mapping, interactions by source.

    landing/box_office/mapping=<mapping>/<file>      <mapping> is a file of include/mappings
    landing/interactions/source=<source>/<file>

A file that cannot be used is left where it is and named in the error at the end; the others are delivered before.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from concert_platform.resources import resource
from concert_platform.settings import settings
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.errors import RefusedError
from concert_platform.sources.inspection import Layout, UnusableFileError, file_format, inspect
from concert_platform.sources.run import IngestRun

BOX_OFFICE = "landing/box_office/mapping="
INTERACTIONS = "landing/interactions/source="
INTERACTION_COLUMNS = ("user_id", "artist_id", "artist", "weight")
INTERACTION_SOURCES = ("lastfm",)


class DroppedFile(NamedTuple):
    """One object of the drop zone. ``group`` is the mapping or source of its path, ``name`` what follows."""

    key: str
    etag: str
    group: str
    name: str


class UnusableFilesError(RefusedError):
    """Some dropped files could not be imported; the others were."""


def import_box_office(run: IngestRun) -> list[dict[str, Any]]:
    """Deliver the new or changed box-office files, one manifest a mapping.

    :raises UnusableFilesError: after the rest was delivered
    """
    return _import(run, BOX_OFFICE, "box_office", mapping_layouts())


def import_interactions(run: IngestRun) -> list[dict[str, Any]]:
    """Deliver the new or changed interaction files, one manifest a source.

    :raises UnusableFilesError: after the rest was delivered
    """
    layouts = {source: Layout(INTERACTION_COLUMNS) for source in INTERACTION_SOURCES}
    return _import(run, INTERACTIONS, "interaction", layouts)


def mapping_layouts() -> dict[str, Layout]:
    """What the files of each mapping of include/mappings must look like."""
    import yaml

    documents = {
        path.stem: yaml.safe_load(path.read_text("utf-8")) for path in resource("include/mappings").glob("*.yaml")
    }
    return {name: Layout(document["required_columns"], document["delimiter"]) for name, document in documents.items()}


def _import(run: IngestRun, root: str, entity: str, layouts: dict[str, Layout]) -> list[dict[str, Any]]:
    import boto3

    s3, bucket = boto3.client("s3"), settings().raw_bucket
    dropped = list(dropped_files(s3, bucket, root))
    known = ", ".join(f"{root}{name}/" for name in sorted(layouts))
    failures = {file.key: f"it lies in none of {known}" for file in dropped if file.group not in layouts}
    counts = []
    for group, layout in sorted(layouts.items()):
        delivery = Delivery(run, group, entity, s3=s3)
        for file in dropped:
            if file.group != group or not delivery.is_new(file.key, file.etag):
                continue
            try:
                deliver(delivery, file, layout, mapping=group if root == BOX_OFFICE else None)
            except UnusableFileError as error:
                failures[file.key] = str(error)
        counts.append(delivery.commit())
    if failures:
        reasons = "; ".join(f"s3://{bucket}/{key}: {reason}" for key, reason in sorted(failures.items()))
        raise UnusableFilesError(f"{len(failures)} of {len(dropped)} dropped files not imported: {reasons}")
    return counts


def dropped_files(s3: Any, bucket: str, root: str) -> Iterator[DroppedFile]:
    """Files of one part of the drop zone; folders and names that begin with _ or . are none.

    :param root: such as ``landing/box_office/mapping=``; a file beside those folders comes without a group
    """
    part = root[: root.rindex("/") + 1]
    pages: Iterable[dict[str, Any]] = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=part)
    for page in pages:
        for entry in page.get("Contents", []):
            key = entry["Key"]
            if key.endswith("/") or key.rsplit("/", 1)[-1].startswith(("_", ".")):
                continue
            group, _, name = key.removeprefix(root).partition("/") if key.startswith(root) else ("", "", "")
            yield DroppedFile(key, entry["ETag"].strip('"'), group if name else "", name)


def deliver(delivery: Delivery, file: DroppedFile, layout: Layout, mapping: str | None) -> None:
    """Check one dropped file and upload the very bytes that were checked.

    :raises UnusableFileError: when the file cannot be used
    """
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        path = Path(folder) / f"file-{file.name.rsplit('/', 1)[-1][-100:]}"
        kind = file_format(path.name)
        _download(delivery, file, path)
        found = inspect(path, layout)
        delivery.add(
            file.name, path, item=file.key, version=file.etag, records=found.records, format=kind, mapping=mapping,
            origin=f"s3://{delivery.bucket}/{file.key}", nanosecond_columns=found.nanosecond_columns,
        )  # fmt: skip


def _download(delivery: Delivery, file: DroppedFile, path: Path) -> None:
    from botocore.exceptions import ClientError

    try:
        answer = delivery.s3.get_object(Bucket=delivery.bucket, Key=file.key, IfMatch=file.etag)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "NoSuchKey"):
            raise UnusableFileError("it was replaced or removed while this run began; the next run takes it") from None
        raise
    with path.open("wb") as target:
        for chunk in answer["Body"].iter_chunks(2**20):
            target.write(chunk)
