"""manifest.json beside the raw files of a run, and the run index that lists a run's manifests."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from concert_platform.sources.run import IngestRun


@dataclass(frozen=True)
class RawFile:
    """One file in the raw bucket: the source's own bytes.

    :param name: file name below the run's prefix
    :param key: key in the raw bucket
    :param bytes: size
    :param records: records of the source in it
    :param format: json, csv, tsv or parquet; the name says whether it is gzip-compressed
    :param item: what the source calls it (a page, a key of the drop zone); key of the ingest state
    :param version: version of that item: hash of the bytes, or the ETag of the dropped object
    :param delivered_at: UTC time of delivery
    :param request: method and URL, without key, for an API
    :param origin: s3:// address in the drop zone
    :param nanosecond_columns: Parquet columns of moments in nanoseconds, which Spark cannot tell from numbers
    :param records_path: of JSON, names that lead to the array of records, such as ``_embedded.events``; an empty one
        says that the document is one record
    """

    name: str
    key: str
    bytes: int
    sha256: str
    records: int
    format: str
    item: str
    version: str
    delivered_at: str
    mapping: str | None = None
    request: dict[str, str] | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    origin: str | None = None
    nanosecond_columns: list[str] = field(default_factory=list)
    records_path: str | None = None


@dataclass
class Manifest:
    """What one run delivered of one entity of one source; it exists also for a run that delivered nothing.

    :param notes: further items of the ingest state that this delivery sets, such as watermarks: [version, UTC time]
    """

    source: str
    entity: str
    dt: str
    run_id: str
    created_at: str
    files: list[RawFile] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    @property
    def records(self) -> int:
        return sum(file.records for file in self.files)

    @property
    def key(self) -> str:
        return f"{raw_prefix(self.source, self.entity, IngestRun(self.dt, self.run_id))}/manifest.json"

    def to_json(self) -> str:
        document = {**asdict(self), "as_of": self.dt, "records": self.records}
        return json.dumps(document, indent=1, ensure_ascii=False)


def raw_prefix(source: str, entity: str, run: IngestRun) -> str:
    return f"raw/source={source}/entity={entity}/dt={run.dt}/run={run.run_id}"


def run_index_key(run: IngestRun) -> str:
    return f"raw/_runs/dt={run.dt}/{run.run_id}.json"


def read_manifest(s3: Any, bucket: str, key: str) -> Manifest:
    """Read a manifest that was written before."""
    document = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    files = [RawFile(**entry) for entry in document["files"]]
    names = ("source", "entity", "dt", "run_id", "created_at")
    return Manifest(**{name: document[name] for name in names}, files=files, notes=document.get("notes", {}))


def write_manifest(s3: Any, bucket: str, manifest: Manifest) -> None:
    put_json(s3, bucket, manifest.key, manifest.to_json())


def write_run_index(s3: Any, bucket: str, run: IngestRun, manifests: list[str], revision: int) -> None:
    """Write the list of a run's manifests, from which curation starts.

    :param revision: number of the run's commits: a manifest may grow under its key, and backlog.py tells what is
        curated from what is not by the ETag of the index, which is that of its bytes
    """
    document = {"run_id": run.run_id, "dt": run.dt, "as_of": run.dt, "revision": revision}
    put_json(s3, bucket, run_index_key(run), json.dumps({**document, "manifests": sorted(manifests)}, indent=1))


def put_json(s3: Any, bucket: str, key: str, text: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
